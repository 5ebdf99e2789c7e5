#!/usr/bin/env bash
# upgrade and rollback in a throw-away host: eleven versions on under load, a version that is bad, one that is killed on
# the way, one that is past its end, the way back, and none.
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh
# shellcheck source=tests/packages/upgrade.sh
. ../packages/upgrade.sh

needs dpkg-deb
# Only fetched: on this machine itself they are not wanted.
fetch_companions() { apt-get -qq -y -d -o "Dir::Cache::archives=$companions" --no-install-recommends install needrestart unattended-upgrades >/dev/null 2>&1; }
companions=$(mktemp -d)
mkdir "$companions/partial"
fetch_companions || { apt-get -qq update >/dev/null 2>&1 && fetch_companions; }
with_versions upgrade
trap 'lab_down "$HOST"; rm -rf -- "${scratch:?}" "${versions:?}" "${companions:?}"' EXIT
for package in "$companions"/*.deb; do
  [ ! -f "$package" ] || lab_push "$HOST" "$package" "/root/companion-${package##*/}"
done
year_ago=$(($(date +%s) / 86400 * 86400 - 365 * 86400)) # a version that is past its end
PICKET_BUILT_AT=$year_ago SOURCE_DATE_EPOCH=$year_ago make_version 0.13.0
bring_version 0.13.0
lab_push "$HOST" open_often.py /root/open_often.py

field() { python3 -c 'import json, sys; data = json.load(sys.stdin)
for key in sys.argv[1:]: data = data[int(key)] if isinstance(data, list) else data[key]
print(data)' "$@"; }
watch_opens() {
  in_host rm -f /root/stop
  in_host python3 /root/open_often.py /root/sample.com /root/stop >"$versions/opens.json" 2>&1 &
  opener=$!
  sleep 1
}
end_opens() {
  in_host touch /root/stop
  wait "$opener"
  echo "      opens: $(cat "$versions/opens.json")"
}

# short_gaps MOST: how many stretches there may be in which opens were let through
short_gaps() {
  python3 -c 'import json, sys
opens = json.load(open(sys.argv[1])); assert not opens["ends_open"] and len(opens["gaps_ms"]) <= int(sys.argv[2]) and sum(opens["gaps_ms"]) < 5000, opens' "$versions/opens.json" "$1"
}

check_code 20 "a host without Picket has nothing to upgrade" in_host /root/picket-installer upgrade
install_first
check_code 12 "there is nothing to go back to yet" in_host picket-installer rollback
held "apt-mark hold picket" "apt-mark unhold picket"
in_host python3 -c 'open("/root/sample.com", "w").write("X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")'

check_code 0 "the plan for 0.11.0" in_host /root/0.11.0/picket-installer upgrade --dry-run --output json
check_contains "says that there is a way back" "$OUTPUT" '"observed":"the package of 0.1.0 is kept"'
watch_opens
check_code 0 "an upgrade from 0.1.0 to 0.11.0 under load" in_host /root/0.11.0/picket-installer upgrade --output json
end_opens
echo "$OUTPUT" >"$versions/upgrade.json"
check_equal "0.11.0 runs" "$(running)" 0.11.0
check_contains "the restart was measured" "$OUTPUT" "its restart took the gate"
python3 -c 'import json, sys
for step in json.load(open(sys.argv[1]))["steps"]: print("      {id}: {detail} ({ms} ms)".format(**step))' "$versions/upgrade.json"
check "opens were let through in one stretch at most, of less than five seconds" short_gaps 1
check_code 0 "the events are whole" in_host picket event verify
check_code 0 "a second upgrade" in_host /root/0.11.0/picket-installer upgrade --output json
check_contains "changes nothing" "$OUTPUT" '"changed":false'
check_equal "the way back is told" "$(in_host picket-installer status --output json | field after way_back)" 0.1.0
check_code 12 "an older version is refused" in_host picket-installer upgrade --bundle "/root/picket-0.1.0-$(uname -m).tar.gz"
check_contains "and said to be one" "$OUTPUT" "0.1.0 is older"

bad_version_goes_back
# As if 0.11.0 had brought a newer schema of records: 0.1.0 has to go back from it.
newest=$(in_host python3 -c 'import sqlite3
database = sqlite3.connect("/var/lib/picket/state.db", timeout=20, isolation_level=None)
database.executescript("ALTER TABLE events ADD COLUMN later TEXT NOT NULL DEFAULT 0; CREATE TABLE later (x); PRAGMA user_version=4")
print(database.execute("SELECT max(sequence) FROM events").fetchone()[0])')
roll_back
check_equal "its records have its own schema" "$(in_host python3 -c 'import sqlite3
print(sqlite3.connect("/var/lib/picket/state.db").execute("PRAGMA user_version").fetchone()[0])')" 3
check_contains "and hold what 0.11.0 recorded" "$(in_host picket event list --limit 1000 --output json)" "\"sequence\":$newest,"
check "the copy of before is there" in_host test -s /var/lib/picket/state.db.bak-4

# Killed while dpkg is at work, and while the new version is being proved.
killed_in package.upgrade
killed_in selftest.run
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

# Beside needrestart, which starts anew what uses libraries that are gone, and unattended-upgrades.
replace_libraries() {
  in_host sh -c 'for library in /lib/*/libc.so.6 /usr/lib/*/libcrypto.so.3; do
    cp -p "$(readlink -f "$library")" /root/library && mv /root/library "$(readlink -f "$library")"; done'
}
# offer VERSION: apt has it, from a folder, and no other source
offer() {
  in_host mkdir -p /srv/apt && lab_push "$HOST" "$(echo "$versions/$1"/*.deb)" "/srv/apt/picket_$1.deb" && in_host sh -c 'cd /srv/apt && apt-ftparchive packages . >Packages &&
    apt-ftparchive -o APT::FTPArchive::Release::Origin=Picket release . >Release && rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* &&
    echo "deb [trusted=yes] file:/srv/apt ./" >/etc/apt/sources.list && echo "Unattended-Upgrade::Origins-Pattern { \"origin=Picket\"; };" >/etc/apt/apt.conf.d/99lab &&
    echo "\$nrconf{restart} = \"a\";" >/etc/needrestart/conf.d/lab.conf && apt-get -qq update'
}
in_host sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /root/companion-*.deb' >/dev/null 2>&1
if in_host sh -c 'command -v needrestart unattended-upgrade apt-ftparchive' >/dev/null; then
  check "a new libc" replace_libraries
  watch_opens
  check_code 0 "needrestart restarts what uses the one before" in_host env DEBIAN_FRONTEND=noninteractive needrestart -r a
  check_contains "Picket too" "$OUTPUT" "picketd.service"
  check "which protects again" wait_until 60 in_host picket selftest
  end_opens
  check "after less than five seconds" short_gaps 2
  check "0.11.0 is offered by apt" offer 0.11.0
  watch_opens
  check_code 0 "unattended-upgrades, and needrestart behind it" in_host unattended-upgrade
  check "and it protects" wait_until 60 in_host picket selftest
  end_opens
  check_equal "as 0.11.0" "$(running)" 0.11.0
  check "after less than five seconds" short_gaps 2
else
  echo "part of the test left out: needrestart and unattended-upgrades cannot be had"
fi

in_host rm -r /var/lib/picket/install/packages
check_code 0 "without the package of what is installed the plan" in_host /root/0.12.0/picket-installer upgrade --dry-run
check_contains "says that there is no way back" "$OUTPUT" "no way back: the package of $(running) is not on this host"
check_code 0 "purge" in_host picket-installer uninstall --purge
check_code 1 "leaves nothing of it" in_host test -e /var/lib/picket
exit "$ASSERT_FAILED"
