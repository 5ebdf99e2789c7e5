# @summary Where a file comes from: puppet:///…, http(s)://…, file:///…, or an absolute path on the host
type Picket::Source = Pattern[/\A(puppet|https?|file):\/\/\S+\z/, /\A\/\S+\z/]
