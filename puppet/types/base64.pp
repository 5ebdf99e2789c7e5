# @summary Bytes in base64
type Picket::Base64 = Pattern[/\A[A-Za-z0-9+\/\s]+={0,2}\s*\z/]
