#!/usr/bin/env bash
# upgrade and rollback in a throw-away host: eleven versions on under load, a version that is bad, one that is killed on
# the way, one that is past its end, the way back, and none.
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh

here=$LAB_CHECKOUT/tests/packages
[ -x "${PICKET_BIN:-$LAB_CHECKOUT/build/bin}/picket-installer" ] || skip "no programs in build/bin: ./dev build makes them"
command -v dpkg-deb >/dev/null || skip "dpkg-deb is not installed"
scratch=$(mktemp -d)
trap 'rm -rf -- "${scratch:?}"' EXIT
# make VERSION NAME…: its bundle, as picket-VERSION-ARCH.tar.gz in $scratch/VERSION
make() { "$here/other_version.sh" "$1" "$scratch/$1" "${@:2}" || exit 1; }
make 0.1.0 && make 0.11.0 && make 0.12.0 picket-engine=/bin/false
year_ago=$(($(date +%s) / 86400 * 86400 - 365 * 86400)) # a version that is past its end
PICKET_BUILT_AT=$year_ago SOURCE_DATE_EPOCH=$year_ago make 0.13.0
PICKET_DIST=$scratch/0.1.0
first=$scratch
with_bundle_host upgrade
trap 'lab_down "$HOST"; rm -rf -- "${scratch:?}" "${first:?}"' EXIT
for version in 0.11.0 0.12.0 0.13.0; do
  in_host mkdir -p /root/$version
  lab_push "$HOST" "$first/$version/picket-installer" /root/$version/picket-installer
  lab_push "$HOST" "$first/$version/picket-$version-$(uname -m).tar.gz" "/root/$version/picket-$version-$(uname -m).tar.gz"
done
lab_push "$HOST" open_often.py /root/open_often.py

field() { python3 -c 'import json, sys; data = json.load(sys.stdin)
for key in sys.argv[1:]: data = data[int(key)] if isinstance(data, list) else data[key]
print(data)' "$@"; }
running() { in_host picket health --field app_version; }
watch_opens() {
  in_host rm -f /root/stop
  in_host python3 /root/open_often.py /root/sample.com /root/stop >"$first/opens.json" 2>&1 &
  opener=$!
  sleep 1
}
end_opens() {
  in_host touch /root/stop
  wait "$opener"
  echo "      opens: $(cat "$first/opens.json")"
}

printf '{"realTimeProtection": {"quarantine": "disabled"}}' >"$first/keep.json"
lab_push "$HOST" "$first/keep.json" /root/keep.json
check_code 20 "a host without Picket has nothing to upgrade" in_host /root/picket-installer upgrade
check_code 0 "0.1.0 is installed" in_host /root/picket-installer install --onboarding /root/acme.zip --profile /root/keep.json
check_equal "and runs" "$(running)" 0.1.0
check_code 12 "there is nothing to go back to yet" in_host picket-installer rollback
in_host python3 -c 'open("/root/sample.com", "w").write("X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")'

check_code 0 "the plan for 0.11.0" in_host /root/0.11.0/picket-installer upgrade --dry-run --output json
check_contains "says that there is a way back" "$OUTPUT" '"observed":"the package of 0.1.0 is kept"'
watch_opens
check_code 0 "an upgrade from 0.1.0 to 0.11.0 under load" in_host /root/0.11.0/picket-installer upgrade --output json
end_opens
echo "$OUTPUT" >"$first/upgrade.json"
check_equal "0.11.0 runs" "$(running)" 0.11.0
check_contains "the restart was measured" "$OUTPUT" "its restart took the gate"
python3 -c 'import json, sys
for step in json.load(open(sys.argv[1]))["steps"]: print("      {id}: {detail} ({ms} ms)".format(**step))' "$first/upgrade.json"
check "opens were let through in one stretch at most, of less than five seconds" python3 -c 'import json, sys
opens = json.load(open(sys.argv[1])); assert not opens["ends_open"] and len(opens["gaps_ms"]) <= 1 and sum(opens["gaps_ms"]) < 5000, opens' "$first/opens.json"
check_code 0 "the events are whole" in_host picket event verify
check_code 0 "a second upgrade" in_host /root/0.11.0/picket-installer upgrade --output json
check_contains "changes nothing" "$OUTPUT" '"changed":false'
check_equal "the way back is told" "$(in_host picket-installer status --output json | field after way_back)" 0.1.0
check_code 12 "an older version is refused" in_host picket-installer upgrade --bundle "/root/picket-0.1.0-$(uname -m).tar.gz"
check_contains "and said to be one" "$OUTPUT" "the bundle holds the older 0.1.0"

began=$SECONDS
check_code 21 "a version whose engine does not start goes back by itself" in_host /root/0.12.0/picket-installer upgrade --output json
check "within a minute" test $((SECONDS - began)) -le 75 # it is given 35 s to become healthy; the rest is a busy machine's
check_contains "the version before is back and protects" "$OUTPUT" "0.11.0 is back and protects"
check_equal "and runs" "$(running)" 0.11.0
check "what the bad one said is kept" in_host grep -q picket-engine /var/log/picket/upgrade-0.12.0.log
check_code 0 "no doubt stays" in_host picket selftest

check_code 0 "rollback goes to 0.1.0" in_host picket-installer rollback
check_equal "0.1.0 runs" "$(running)" 0.1.0
check_code 0 "the events are whole after it" in_host picket event verify
check_code 12 "one cannot go back twice" in_host picket-installer rollback

# Killed while dpkg is at work, and while the new version is being proved.
cat >"$first/kill_in_step.py" <<'END'
import json, subprocess, sys, time
installer = subprocess.Popen([sys.argv[1], "upgrade"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while installer.poll() is None:
    try:
        with open("/var/lib/picket/install/journal.json") as file:
            steps = {step["id"]: step["status"] for step in json.load(file)["steps"]}
    except (OSError, ValueError):
        steps = {}
    if steps.get(sys.argv[2]) == "running":
        installer.kill()
        installer.wait()
        sys.exit(0)
    time.sleep(0.005)
sys.exit("it ended before it was in that step")
END
lab_push "$HOST" "$first/kill_in_step.py" /root/kill_in_step.py
for step in package.upgrade selftest.run; do
  check_code 0 "an upgrade is killed in $step" in_host python3 /root/kill_in_step.py /root/0.11.0/picket-installer "$step"
  check_contains "which is told" "$(in_host picket-installer status)" "An earlier run was cut off"
  check_code 0 "the next run first goes back" in_host picket-installer install --output json
  check_equal "to a whole 0.1.0" "$(running)" 0.1.0
  check_code 0 "that protects" in_host picket selftest
done
check_equal "dpkg has nothing to complain about" "$(in_host dpkg --audit)" ""

check_code 28 "a version past its end is refused" in_host /root/0.13.0/picket-installer upgrade
check_contains "with its day" "$OUTPUT" "the bundle expired "
check_code 0 "and goes in where that is accepted" in_host /root/0.13.0/picket-installer upgrade --accept bundle.expiry
check_equal "and runs" "$(running)" 0.13.0
check_code 0 "it protects" in_host picket selftest
check_code 1 "health is red" in_host picket health
check_contains "and says why" "$OUTPUT" build_expired
check_contains "an event was written" "$(in_host picket event list --type build.expired --output json)" "protection goes on"
check_code 0 "rollback goes to 0.1.0 again" in_host picket-installer rollback
check_code 1 "which is not past its end" in_host sh -c 'picket health | grep build_expired'

in_host rm -r /var/lib/picket/install/packages
check_code 0 "without the package of 0.1.0 the plan" in_host /root/0.11.0/picket-installer upgrade --dry-run
check_contains "says that there is no way back" "$OUTPUT" "no way back: the package of 0.1.0 is not on this host"
check_code 0 "purge" in_host picket-installer uninstall --purge
check_code 1 "leaves nothing of it" in_host test -e /var/lib/picket
exit "$ASSERT_FAILED"
