#!/usr/bin/env bash
# os-upgrade prepare and finish in a throw-away host whose release changes between them, in name only: the real thing is
# tests/portable/os_upgrade_test.sh.
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh
# shellcheck source=tests/packages/os_upgrade.sh
. ../packages/os_upgrade.sh

# release NUMBER NAME
release() {
  in_host sh -c 'rm -f /etc/os-release && printf "ID=debian\nVERSION_ID=\"%s\"\nPRETTY_NAME=\"Debian GNU/Linux %s (%s)\"\n" "$0" "$0" "$1" >/etc/os-release' "$@"
}

with_bundle_host os-upgrade
bundle=$(in_host sh -c "ls /root/picket-*.tar.gz")
before=$(picket_traces "$HOST")
release 11 bullseye
check_code 20 "a host without Picket has nothing to prepare" in_host /root/picket-installer os-upgrade prepare
check_code 20 "nor to finish" in_host /root/picket-installer os-upgrade finish

between() {
  check_code 0 "prepared once more" in_host picket-installer os-upgrade prepare --output json
  check_contains "nothing changes" "$OUTPUT" '"changed":false'
  check_code 20 "what needs Picket" in_host picket-installer upgrade --bundle "$bundle"
  check_contains "is told why it is not there" "$OUTPUT" "for an upgrade of the operating system"
  check_code 0 "a check finds nothing broken" in_host picket-installer check
  release 12 bookworm
  check_code 0 "a dry run of finish" in_host picket-installer os-upgrade finish --dry-run
  check_contains "shows its plan" "$OUTPUT" "package.install"
}
os_upgrade_rehearse between
check_code 0 "finished once more" in_host picket-installer os-upgrade finish --output json
check_contains "nothing changes" "$OUTPUT" '"changed":false'

# An upgrade that was given up, on a host whose package is not kept.
in_host rm -r /var/lib/picket/install/packages
check_code 0 "without its package the plan of prepare" in_host picket-installer os-upgrade prepare --dry-run
check_contains "says what finish will need" "$OUTPUT" "--bundle FILE"
check_code 0 "prepare" in_host picket-installer os-upgrade prepare
check_code 28 "finish asks for a bundle" in_host picket-installer os-upgrade finish
check_contains "and says so" "$OUTPUT" "--bundle FILE"
check_code 0 "with it" in_host picket-installer os-upgrade finish --bundle "$bundle" --output json
check_contains "Picket is back on the release that it was on" "$OUTPUT" "still Debian GNU/Linux 12"
check "and protects" in_host picket selftest
check_code 0 "prepare" in_host picket-installer os-upgrade prepare
check_code 0 "a purge of what is prepared" in_host picket-installer uninstall --purge
in_host rm -rf /root/eicar
check_traces "leaves nothing behind" "$before" "$(picket_traces "$HOST")"
exit "$ASSERT_FAILED"
