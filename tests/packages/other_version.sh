#!/usr/bin/env bash
# Makes the bundle of another version out of the built programs, without building them again: tests of upgrades.
# Usage: other_version.sh [--rpm] VERSION OUTPUT [NAME=PROGRAM]…: NAME becomes a copy of PROGRAM (what a bad version is).
# --rpm: an .rpm in it instead of a .deb.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
kind=deb
[ "$1" != --rpm ] || { kind=rpm && shift; }
version=$1 output=$2
shift 2
built=${PICKET_BIN:-$top/build/bin}
programs=$(mktemp -d)
trap 'rm -rf -- "${programs:?}"' EXIT

for program in "$built"/*; do
  "$top/tests/packages/stamp.py" "$program" "$programs/${program##*/}" --version "$version" ${PICKET_BUILT_AT:+--built-at "$PICKET_BUILT_AT"} \
    2>/dev/null || cp -L "$program" "$programs/${program##*/}" # the tools that write the reference need no version
done
for pair in "$@"; do
  cp -L "${pair#*=}" "$programs/${pair%%=*}"
done
mkdir -p "$output"
export PICKET_VERSION=$version SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(stat -c %Y "$top/CHANGELOG.md")}
package=$("$top/packaging/$kind/build.sh" "$programs" "$output")
"$top/packaging/make_bundle.sh" "$programs" "$output" "$package" >/dev/null
