# @summary A minisign public key in one line, as `picket-onboarding create` prints it
type Picket::Key = Pattern[/\ARW[A-Za-z0-9+\/]{54}\z/]
