#!/usr/bin/env bash
# upgrade and rollback with rpm, in a throw-away host that looks like RHEL's family (tests/lab/el.sh: a stand-in): a
# version that is bad, the way back, and one that is killed while rpm is at work.
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh
# shellcheck source=tests/lab/el.sh
. ./el.sh
# shellcheck source=tests/packages/upgrade.sh
. ../packages/upgrade.sh

missing=$(el_missing)
[ -z "$missing" ] || skip "$missing"
with_versions upgrade-rpm --rpm
check "the host can be made to look like RHEL's family" el_make
libraries=$(el_libraries "$scratch" "$versions"/*/*.rpm) || exit 1
lab_push "$HOST" "$libraries" /root/lab-libraries.rpm
rpm_in_host() { in_host rpm "$@" 2>/dev/null; }
rpm_in_host -i /root/lab-libraries.rpm
# whole VERSION: one package, of that version, each of its files as it was packed
whole() {
  check_equal "rpm knows $1 alone" "$(rpm_in_host -q --qf '%{VERSION}\n' picket)" "$1"
  check_equal "and finds every file as it was packed" "$(rpm_in_host -V --nomtime picket)" ""
}

install_first
held "echo 'picket-0:0.1.0-1.*' >/etc/dnf/plugins/versionlock.list" "rm /etc/dnf/plugins/versionlock.list"
check_code 0 "an upgrade from 0.1.0 to 0.11.0" in_host /root/0.11.0/picket-installer upgrade --output json
check_contains "whose restart was measured" "$OUTPUT" "its restart took the gate"
check_equal "0.11.0 runs" "$(running)" 0.11.0
whole 0.11.0
check_code 12 "an older version is refused" in_host picket-installer upgrade --bundle "/root/picket-0.1.0-$(uname -m).tar.gz"
check_contains "with what would take it" "$OUTPUT" "--allow-downgrade"
bad_version_goes_back
whole 0.11.0
roll_back
whole 0.1.0
killed_in package.upgrade
whole 0.1.0

check_code 0 "purge" in_host picket-installer uninstall --purge
check_code 1 "rpm does not know it any more" rpm_in_host -q picket
exit "$ASSERT_FAILED"
