#!/usr/bin/env bash
# The systemd units ask nothing of systemd 219 (RHEL 7) and 210 (SLES 12) that these do not know, unless something else does
# the job there: packaging/systemd/directives says what.
set -u
cd "$(dirname "$0")" || exit 1
. ../lab/assert.sh
units=$(realpath ../../packaging/systemd)
scratch=$(mktemp -d)
trap 'rm -rf -- "${scratch:?}"' EXIT

check "every directive has its row, and every newer one says what stands in for it" /usr/bin/python3 unit_directives.py "$units"
# faulty SED FILE: the units with one file changed
faulty() {
  rm -rf -- "${scratch:?}/units" && cp -r "$units" "$scratch/units" && sed -i "$1" "$scratch/units/$2" &&
    /usr/bin/python3 unit_directives.py "$scratch/units"
}
while IFS='|' read -r what change file text; do
  check_code 1 "$what is found" faulty "$change" "$file"
  check_contains "and named" "$OUTPUT" "$text"
done <<'END'
a directive without a row|$a CoredumpReceive=no|picketd.service|CoredumpReceive is in no row
a newer one with nothing in its place|/MemoryMax/s/231.*/231/|directives|MemoryMax needs systemd 231
one whose older spelling was taken away|/^StartLimitInterval=/d|picketd.service|StartLimitInterval is not there as well
a row that nothing needs|$a [Service] Slice base|directives|Slice is in no unit
END
exit "$ASSERT_FAILED"
