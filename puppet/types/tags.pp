# @summary Tags of a host: what the installer takes as --tag KEY=VALUE
type Picket::Tags = Hash[Pattern[/\A[^=\s]+\z/], String]
