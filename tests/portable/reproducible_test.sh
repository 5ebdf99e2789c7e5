#!/usr/bin/env bash
# Two builds of the same source in two folders are the same bytes. Both are made here, without a compiler's cache: what a
# cache brings from another folder may differ in what debuggers read.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/assert.sh
packaging/portable/build.sh --needed || skip "what the portable build is linked with is not here: ./dev build portable"
PICKET_PORTABLE=$(packaging/portable/build.sh)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)} # a copy has no .git
export PICKET_PORTABLE CCACHE_DISABLE=1 SOURCE_DATE_EPOCH
mapfile -t programs < <(awk '$1 == "program" { print $3 }' packaging/contents)
if [ $# -gt 0 ]; then programs=("$@"); fi # these alone

one=$(mktemp -d "${TMPDIR:-/tmp}/picket-XXXXXX")
other=$(mktemp -d "${TMPDIR:-/tmp}/picket-in-a-folder-of-another-length-XXXXXX")
trap 'rm -rf -- "${one:?}" "${other:?}"' EXIT
for copy in "$one" "$other"; do tar -c --exclude=./build --exclude=./.git . | tar -x -C "$copy"; done
for copy in "$one" "$other"; do
  (cd "$copy" && cmake --preset portable && cmake --build --preset portable -- "${programs[@]}") >"$copy/log" 2>&1 ||
    { tail -n 30 "$copy/log"; exit 1; }
done
for program in "${programs[@]}"; do
  check "$program is the same again" cmp "$one/build/portable/bin/$program" "$other/build/portable/bin/$program"
done
exit "$ASSERT_FAILED"
