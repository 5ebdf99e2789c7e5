#!/usr/bin/env bash
# The shipped package in hosts of several Debian releases that hold nothing but a minimal system and systemd, offline:
# install, protection, self-test, second run, and nothing left after the purge.
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh
needs debootstrap

# What is on the host's disk, without what changes by itself or belongs to the test.
tree() {
  in_host sh -c 'find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /root -o -path /var/log -o -path /var/lib/systemd -o -path /var/tmp \) -prune -o -print' | sort
}

try_release() {
  local suite=$1
  PICKET_LAB_BASE=$(./base_tree.sh "$suite") || { assert_failed "$suite" "its tree cannot be made here"; return; }
  export PICKET_LAB_BASE
  with_bundle_host "$suite"
  echo "--- $suite: $(in_host sh -c '. /etc/os-release; echo "$PRETTY_NAME"; systemctl --version | head -n 1' | tr '\n' ' ')"
  tree >"$scratch/before"
  check_code 0 "$suite: the host passes its checks" in_host /root/picket-installer check
  check_code 0 "$suite: install, from the bundle alone" in_host /root/picket-installer install --onboarding /root/acme.zip
  check_code 0 "$suite: the self-test passes" in_host picket selftest
  check_contains "$suite: health" "$(in_host picket health)" "healthy"
  # shellcheck disable=SC2016 # expanded in the host
  in_host sh -c 'exec 9>/root/eicar; printf %s%s "X5O!P%@AP[4\PZX54(P^)7CC)7}\$" "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!\$H+H*" >&9; cat /root/eicar' >"$scratch/opened" 2>&1
  check_contains "$suite: EICAR is denied" "$(cat "$scratch/opened")" "Operation not permitted"
  check "$suite: and taken away" wait_until 60 in_host sh -c '! [ -e /root/eicar ]'
  check_code 0 "$suite: a second install" in_host /root/picket-installer install --onboarding /root/acme.zip --output json
  check_contains "$suite: changes nothing" "$OUTPUT" '"changed":false'
  check_code 0 "$suite: purge" in_host /root/picket-installer uninstall --purge
  tree >"$scratch/after"
  check_equal "$suite: and the host is as it was" "$(diff "$scratch/before" "$scratch/after")" ""
  lab_down "$HOST"
  rm -rf -- "${scratch:?}"
}

for suite in ${PICKET_GUESTS:-bullseye bookworm trixie}; do
  try_release "$suite"
done
exit "$ASSERT_FAILED"
