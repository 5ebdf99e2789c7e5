# @summary An absolute path
type Picket::Path = Pattern[/\A\/[^\n\/\0]+(\/[^\n\/\0]+)*\z/]
