#!/bin/sh
# Task picket::scan. What it prints is picket's own JSON.
# shellcheck disable=SC2154 # PT_… come from Bolt
set -- "scan" "${PT_kind:-quick}"
[ -z "$PT_path" ] || set -- "$@" --path "$PT_path"
[ "$PT_ignore_exclusions" != true ] || set -- "$@" --ignore-exclusions
if [ ! -x /usr/bin/picket ]; then
  echo '{"_error": {"kind": "picket/not-installed", "msg": "Picket is not installed on this host", "details": {"exit_code": 20}}}'
  exit 20
fi
/usr/bin/picket "$@" --output json
code=$?
[ $code -ne 10 ] || code=0 # threats found: the answer names them
exit $code
