# shellcheck shell=bash disable=SC2154 # assert.sh sets
# What the tests of an upgrade of the operating system share: what a host knows before it is there after it. Sourced, after
# lab.sh and assert.sh; the host has what with_bundle_host brings.

# What makes this host the one that it is; without what changes by itself.
os_upgrade_knows() {
  # shellcheck disable=SC2016 # expanded in the host
  in_host sh -c 'cd /etc/picket && sha256sum onboarding.json enrolment.token tags.json managed.d/*
    cat /var/lib/picket/machine-id /var/lib/picket/settings.json
    readlink /var/lib/picket/definitions/current
    picket threat quarantine list --output json; picket threat list --output json; picket exclusion list; picket tag list' 2>&1
}

# The numbers of all events
os_upgrade_events() {
  in_host picket event list --limit 1000 --output json | python3 -c 'import json, sys
for event in json.load(sys.stdin)["data"]["events"]: print(event["sequence"])'
}

# A profile, a tag, an exclusion, a file in quarantine and its records.
os_upgrade_fill() {
  echo '{"realTimeProtection": {"openDeadlineMs": 2345}}' >"$scratch/profile.json"
  lab_push "$HOST" "$scratch/profile.json" /root/profile.json
  check_code 0 "Picket is installed" in_host /root/picket-installer install --onboarding /root/acme.zip --profile /root/profile.json --tag role=web
  check "an exclusion is made" in_host picket exclusion folder add --path /srv/spool --reason "of the spooler" --owner ops
  # shellcheck disable=SC2016 # expanded in the host
  in_host sh -c 'exec 9>/root/eicar; printf %s%s "X5O!P%@AP[4\PZX54(P^)7CC)7}\$" "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!\$H+H*" >&9; cat /root/eicar' >/dev/null 2>&1
  check "a file is in quarantine" wait_until 60 in_host sh -c '! [ -e /root/eicar ] && picket threat quarantine list --output json | grep -q /root/eicar'
}

# os_upgrade_rehearse COMMAND…: what COMMAND does to the host comes between prepare and finish
os_upgrade_rehearse() {
  local before last
  os_upgrade_fill
  before=$(os_upgrade_knows)
  last=$(os_upgrade_events | tail -n 1)
  check_code 0 "the host is prepared" in_host picket-installer os-upgrade prepare --output json
  check_contains "the package is kept" "$OUTPUT" '"id":"os_upgrade.package"'
  check_code 1 "its programs are gone" in_host test -e /usr/sbin/picketd
  check_code 0 "status" in_host picket-installer status
  check_contains "says since when, by whom and from where" "$(xargs <<<"$OUTPUT")" "os_upgrade"
  "$@"
  check_code 0 "the host is finished, from what it kept" in_host picket-installer os-upgrade finish --output json
  echo "$OUTPUT" | python3 -c 'import json, sys
for step in json.load(sys.stdin)["steps"]: print("      {id}: {detail} ({ms} ms)".format(**step))'
  check_contains "between two releases" "$OUTPUT" "bullseye) -> "
  check "it protects" in_host picket selftest
  check_equal "and is who it was" "$(os_upgrade_knows)" "$before"
  check_code 0 "the events are whole" in_host picket event verify
  check_contains "one says how long nothing protected" "$(in_host picket event list --type protection.weakened --output json)" '"os_upgrade"'
  check_equal "those of before are there" "$(os_upgrade_events | sed -n "1,/^$last\$/p")" "$(seq "$last")"
  check "what was in quarantine can be had back" in_host picket threat quarantine restore --all
  check "and is there" in_host test -s /root/eicar
}
