#!/usr/bin/env bash
# Two builds of the same source in two folders are the same bytes.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/assert.sh
packaging/portable/build.sh --needed || skip "what the portable build is linked with is not here: ./dev build portable"
[ -x build/portable/bin/picketd ] || skip "there is no portable build to compare with: ./dev package"
PICKET_PORTABLE=$(packaging/portable/build.sh)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)} # the copy has no .git
export PICKET_PORTABLE CCACHE_DISABLE=1 SOURCE_DATE_EPOCH

copy=$(mktemp -d "${TMPDIR:-/tmp}/picket-again-XXXXXX")
trap 'rm -rf -- "${copy:?}"' EXIT
tar -c --exclude=./build --exclude=./.git . | tar -x -C "$copy"
mapfile -t programs < <(awk '$1 == "program" { print $3 }' packaging/contents)
(cd "$copy" && cmake --preset portable && cmake --build --preset portable -- "${programs[@]}") >"$copy/log" 2>&1 ||
  { tail -n 30 "$copy/log"; exit 1; }
for program in "${programs[@]}"; do
  check "$program is the same again" cmp "build/portable/bin/$program" "$copy/build/portable/bin/$program"
done
exit "$ASSERT_FAILED"
