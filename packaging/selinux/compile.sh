#!/usr/bin/env bash
# Compiles the SELinux modules. Usage: packaging/selinux/compile.sh OUTPUT: a folder, which gets MODULE.pp for each
# MODULE.te. The form is that of RHEL 7's tools, which every later one reads.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
output=$1
for source in "$here"/*.te; do
  module=${source##*/}
  module=${module%.te}
  checkmodule -M -m -c 17 -o "$output/$module.mod" "$source" >/dev/null
  contexts=()
  [ ! -f "$here/$module.fc" ] || contexts=(-f "$here/$module.fc")
  semodule_package -o "$output/$module.pp" -m "$output/$module.mod" "${contexts[@]}"
  rm -f "$output/$module.mod"
done
