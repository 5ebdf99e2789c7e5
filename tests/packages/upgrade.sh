# shellcheck shell=bash disable=SC2034,SC2154 # assert.sh reads and sets
# What the tests of upgrades share, whichever package manager the host has. Sourced, after lab.sh and assert.sh.

# make_version [--rpm] VERSION [NAME=PROGRAM]…: its bundle, in $versions/VERSION
make_version() {
  local options=()
  [ "$1" != --rpm ] || { options=(--rpm) && shift; }
  "$LAB_CHECKOUT/tests/packages/other_version.sh" "${options[@]}" "$1" "$versions/$1" "${@:2}" || exit 1
}

# bring_version VERSION: to the host, as /root/VERSION
bring_version() {
  in_host mkdir -p "/root/$1"
  lab_push "$HOST" "$versions/$1/picket-installer" "/root/$1/picket-installer"
  lab_push "$HOST" "$versions/$1/picket-$1-$(uname -m).tar.gz" "/root/$1/picket-$1-$(uname -m).tar.gz"
}

# with_versions HOST [--rpm]: a host with the bundle of 0.1.0 in /root, and with 0.11.0 and 0.12.0, whose engine does not
# start.
with_versions() {
  [ -x "${PICKET_BIN:-$LAB_CHECKOUT/build/bin}/picket-installer" ] || skip "no programs in build/bin: ./dev build makes them"
  versions=$(mktemp -d)
  trap 'rm -rf -- "${versions:?}"' EXIT
  make_version "${@:2}" 0.1.0
  make_version "${@:2}" 0.11.0
  make_version "${@:2}" 0.12.0 picket-engine=/bin/false
  PICKET_DIST=$versions/0.1.0
  with_bundle_host "$1"
  trap 'lab_down "$HOST"; rm -rf -- "${scratch:?}" "${versions:?}"' EXIT
  bring_version 0.11.0
  bring_version 0.12.0
  printf '{"realTimeProtection": {"quarantine": "disabled"}}' >"$versions/keep.json"
  lab_push "$HOST" "$versions/keep.json" /root/keep.json
  lab_push "$HOST" "$LAB_CHECKOUT/tests/packages/kill_in_step.py" /root/kill_in_step.py
}

running() { in_host picket health --field app_version; }

install_first() {
  check_code 0 "0.1.0 is installed" in_host /root/picket-installer install --onboarding /root/acme.zip --profile /root/keep.json
  check_equal "and runs" "$(running)" 0.1.0
}

# held HOLD RELEASE: what HOLD, a shell's command, keeps at 0.1.0 stays there; RELEASE ends that
held() {
  in_host sh -c "$1"
  check_code 12 "a version that is held ($1)" in_host /root/0.11.0/picket-installer upgrade
  check_contains "is not replaced" "$OUTPUT" "Picket is held at 0.1.0"
  check_code 0 "unless the new one is named" in_host /root/0.11.0/picket-installer upgrade --version 0.11.0 --dry-run
  in_host sh -c "$2"
}

# From 0.11.0
bad_version_goes_back() {
  local began=$SECONDS
  check_code 21 "a version whose engine does not start goes back by itself" in_host /root/0.12.0/picket-installer upgrade --output json
  check "within a minute" test $((SECONDS - began)) -le 75 # it is given 35 s to become healthy; the rest is a busy machine's
  check_contains "the version before is back and protects" "$OUTPUT" "0.11.0 is back and protects"
  check_equal "and runs" "$(running)" 0.11.0
  check "what the bad one said is kept" in_host grep -q picket-engine /var/log/picket/upgrade-0.12.0.log
  check_code 0 "no doubt stays" in_host picket selftest
}

# From 0.11.0, whose way back is 0.1.0
roll_back() {
  check_code 0 "rollback goes to 0.1.0" in_host picket-installer rollback
  check_equal "0.1.0 runs" "$(running)" 0.1.0
  check_code 0 "the events are whole after it" in_host picket event verify
  check_code 12 "one cannot go back twice" in_host picket-installer rollback
}

# killed_in STEP: from 0.1.0
killed_in() {
  check_code 0 "an upgrade is killed in $1" in_host python3 /root/kill_in_step.py "$1" /root/0.11.0/picket-installer upgrade
  check_contains "which is told" "$(in_host picket-installer status)" "An earlier run was cut off"
  check_code 0 "the next run first goes back" in_host picket-installer install --output json
  check_equal "to a whole 0.1.0" "$(running)" 0.1.0
  check_code 0 "that protects" in_host picket selftest
}
