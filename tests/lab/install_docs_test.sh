#!/usr/bin/env bash
# Every command of docs/install.md, word for word, in a host of each family that it names: Debian 12, and stand-ins for
# RHEL's and SUSE's (tests/lab/el.sh).
set -u
cd "$(dirname "$0")" || exit 1
. ./lab.sh
. ./assert.sh
. ./el.sh

document=$LAB_CHECKOUT/docs/install.md
missing=$(el_missing)
[ -z "$missing" ] || skip "$missing"
with_bundle_host docs
rpm=$(find "${PICKET_DIST:-$LAB_CHECKOUT/build/dist}" -name 'picket-*.rpm' | head -n 1)

# commands HEADING: the "host#" lines below the first heading that begins so
commands() { awk -v heading="## $1" 'index($0, "## ") == 1 { inside = index($0, heading) == 1 } inside && sub(/^host# /, "")' "$document"; }
# follow FAMILY HEADING
follow() {
  local line count=0
  while IFS= read -r line; do
    count=$((count + 1))
    # A mount that a starting service makes for a moment is no lasting issue.
    [ "$line" != "picket health" ] || wait_until 60 in_host picket health
    check_code 0 "$1: $line" in_host sh -c "cd /root; $line" </dev/null
  done < <(commands "$2")
  check "$1: there are commands below '$2'" test "$count" -gt 0
}

follow Debian "Install on Debian"
follow Debian "Remove"

el_make || exit 1
libraries=$(el_libraries "$scratch" "$rpm") && lab_push "$HOST" "$libraries" /root/lab-libraries.rpm &&
  in_host rpm -i /root/lab-libraries.rpm 2>/dev/null
follow "RHEL's family" "Install on RHEL"
follow "RHEL's family" "Remove"

in_host sh -c 'rm -f /etc/redhat-release; cat >/etc/os-release <<END
NAME="SLES"
VERSION="15-SP6"
VERSION_ID="15.6"
PRETTY_NAME="SUSE Linux Enterprise Server 15 SP6"
ID="sles"
ID_LIKE="suse"
END'
follow "SUSE's family" "Install on SLES"
follow "SUSE's family" "Remove"
exit "$ASSERT_FAILED"
