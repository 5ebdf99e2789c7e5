# @summary The id of one of the installer's checks, such as memory.total
type Picket::Checkid = Pattern[/\A[a-z_]+(\.[a-z_]+)?\z/]
