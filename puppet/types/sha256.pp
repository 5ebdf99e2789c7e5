# @summary A SHA-256 digest in hexadecimal
type Picket::Sha256 = Pattern[/\A[0-9a-f]{64}\z/]
