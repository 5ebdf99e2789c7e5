#!/bin/sh
# Task picket::verify. What it prints is picket-installer's own JSON.
if [ ! -x /usr/sbin/picket-installer ]; then
  echo '{"_error": {"kind": "picket/not-installed", "msg": "Picket is not installed on this host", "details": {"exit_code": 20}}}'
  exit 20
fi
exec /usr/sbin/picket-installer selftest --output json
