#!/usr/bin/env bash
# The Ansible collection against real hosts over real ssh: protect, hold, mend, roll out, report, take away.
# Everything runs in a network of its own, in which there are the hosts and nothing else.
set -u
exec 3>&2
cd "$(dirname "$0")" || exit 1
. ./lab.sh
. ./assert.sh
. ./network.sh
. ./controller.sh

needs_hosts
needs ansible-playbook ansible-galaxy ip ssh sshd
needs_bundle
lab_own_network "$PWD/ansible_test.sh" "$@" || exit 1

# --- the controller

lab_hosts ans one two three
. ../../packaging/release_keys.sh # before HOME changes: release keys are in it
as_controller

# The host that is asked first is the one that breaks: it is the rollout's canary. It is reached through another, the bastion.
write_inventory() {
  cat >"$scratch/inventory.yml" <<END
all:
  vars:
    ansible_user: root
    ansible_ssh_private_key_file: $scratch/key
    picket_bundle: $bundle
    picket_onboarding: $scratch/acme.zip
    picket_trust_key: $scratch/acme.pub
    picket_gate_retries: 1
    picket_gate_delay: 1
  children:
    canary:
      hosts: {three: {ansible_host: 10.77.0.13, ansible_ssh_common_args: -J 10.77.0.11}}
    fleet:
      hosts: {one: {ansible_host: 10.77.0.11}, two: {ansible_host: 10.77.0.12}}
    gone:
      hosts: {four: {ansible_host: 10.77.0.99, ansible_timeout: 4}}
END
  # What the agent role reported, for each host a file.
  cat >"$scratch/record.yml" <<END
- import_playbook: picket.endpoint.site
- hosts: "{{ picket_hosts | default('all') }}"
  gather_facts: false
  tasks:
    - copy: {content: "{{ picket_agent | to_json }}", dest: "$scratch/{{ inventory_hostname }}.{{ record }}.json"}
      delegate_to: localhost
      check_mode: false
      diff: false
      vars: {ansible_connection: local}
END
}

boot() {
  local number=11 name
  for name in "${HOSTS[@]}"; do
    boot_for_controller "$name" "$number" || return
    number=$((number + 1))
  done
}

traces() { picket_traces "$(host_of "$1")"; }

count() { grep -cE -- "$1" "$scratch/output"; }

# same_prediction HOST: what --check --diff said would be is what the run reported, field by field
same_prediction() {
  python3 - "$scratch/$1.check.json" "$scratch/$1.run.json" <<'END'
import json, sys
check, run = (json.load(open(path)) for path in sys.argv[1:])
differences = [f"{part}.{key}: predicted {check[part].get(key)!r}, is {run[part].get(key)!r}"
               for part in ("before", "after") for key in sorted(set(check[part]) | set(run[part]))
               if check[part].get(key) != run[part].get(key)]
if check["changed"] != run["changed"]:
    differences.append(f"changed: predicted {check['changed']}, is {run['changed']}")
if len(run["after"]) < 10:
    differences.append(f"only these fields were compared: {sorted(run['after'])}")
sys.exit("; ".join(differences) or 0)
END
}

# --- a fresh host: predicted, then done

check "the collection is built and installed, the controller is ready" make_controller
write_inventory
check "three hosts are up" boot
before=$(traces one)
# No program can be run from where Ansible puts its files.
on one sh -c 'mkdir -m 700 /root/.ansible && mount -t tmpfs -o noexec,mode=700 tmpfs /root/.ansible'
profile='{"picket_profile": {"antivirusEngine": {"enforcementLevel": "audit"}}, "picket_tags": {"role": "web"}}'

check "--check --diff on fresh hosts" plays "$scratch/record.yml" -l fleet --check --diff -e "$profile" -e record=check
check_contains "the diff names what would be" "$(said)" '+    "installed": true,'
check_traces "nothing is left behind by it" "$before" "$(traces one)$(on one ls -A /root/.ansible/tmp)"
# The third host fails alone, in each of these runs for another reason.
on three sh -c 'cp -L /etc/os-release /root/os-release && rm -f /etc/os-release && printf "ID=arch\nNAME=\"Arch Linux\"\n" >/etc/os-release'
check_code 2 "the first run protects every host that it can" play "$scratch/record.yml" -l fleet,canary -vvv -e "$profile" -e record=run
check_contains "one of a distribution that is not supported fails, with the reason" "$(said)" 'exit code 10'
check_contains "alone" "$(recap three)" 'changed=0'
on three cp /root/os-release /etc/os-release
cp "$scratch/output" "$scratch/first-run"
for name in one two; do
  check "$name: the run made what was predicted" same_prediction "$name"
done
check "both are healthy and pass their self-test" plays picket.endpoint.verify -l fleet
check_code 1 "no secret is in what was printed, nor in the arguments" \
  grep -qF "$(unzip -p "$scratch/acme.zip" enrolment.token | head -c 24)" "$scratch/first-run"

# --- unchanged

# Puppet has a file of its own on one of them.
on two sh -c 'echo "{\"realTimeProtection\": {\"openDeadlineMs\": 1900}}" >/etc/picket/managed.d/50-puppet.json'
check "a second run" plays picket.endpoint.site -l fleet -e "$profile" -vvv
check_contains "changes nothing" "$(recap one) $(recap two)" "changed=0"
check_equal "of both hosts" "$(count 'changed=0 .*failed=0')" 2
check_code 0 "each host's installer was asked" grep -q '"installer_calls": 1,' "$scratch/output"
check_code 1 "and no more than once" grep -q '"installer_calls": [^1]' "$scratch/output"
check "with at most 6 tasks" test "$(count '^TASK ')" -le 6
check_code 1 "and copies nothing" grep -E 'PUT .*(picket-installer|tar.gz|onboarding)' "$scratch/output"
check_equal "of the agent's task, one module ran on each host" "$(count 'ansible_collections/picket/endpoint/plugins/modules/picket_agent.py')" 2

check_contains "health warns of two drivers" "$(on two picket health --output json)" '"two_drivers"'
check_contains "and the other's file is as it was" "$(on two cat /etc/picket/managed.d/50-puppet.json)" 1900
on two rm /etc/picket/managed.d/50-puppet.json

# --- exclusions of one host

# task CODE WHAT MODULE FIELDS [ARGUMENT…]: a play that is this one task, on host one
task() {
  local code=$1 what=$2
  printf '%s\n' "- {hosts: one, gather_facts: false, tasks: [{picket.endpoint.$3: {$4}}]}" >"$scratch/task.yml"
  check_code "$code" "$what" play "$scratch/task.yml" "${@:5}"
}
# excluded CODE WHAT FIELDS [ARGUMENT…]
excluded() { task "$1" "$2" picket_exclusion "${@:3}"; }
changes() { check_contains "$1" "$(recap one)" "changed=$2 "; }
listed() { on one picket exclusion list --output json; }
because='type: folder, value: /srv/db/, reason: table files, owner: dba'
excluded 0 "an exclusion with its reason, owner and end is predicted" "$because, expires: 2099-03-31" --check --diff
changes "as a change" 1
check_contains "with its end" "$(said)" '+        "expires": "2099-04-01T00:00:00.000Z",'
check_equal "and is not made" "$(listed | grep -c /srv/db)" 0
excluded 0 "and made" "$because, expires: 2099-03-31" --diff
check_contains "as it was predicted" "$(said)" '+        "expires": "2099-04-01T00:00:00.000Z",'
for part in '"reason":"table files"' '"owner":"dba"' '"expires":"2099-04-01T00:00:00.000Z"' '"value":"/srv/db"'; do
  check_contains "the host says so: $part" "$(listed)" "$part"
done
excluded 0 "once more" "$because, expires: 2099-04-01T00:00:00Z"
changes "changes nothing, however the end is written" 0
excluded 0 "without reason, owner and end" "type: folder, value: /srv/db"
changes "changes nothing either" 0
excluded 0 "another owner" "${because/dba/storage}, expires: 2099-03-31"
changes "is a change" 1
check_contains "and is there" "$(listed)" '"owner":"storage"'
excluded 0 "an end that counts from now" "type: name, value: core.dump, expires: 30d"
changes "is a change" 1
excluded 0 "and once" "type: name, value: core.dump, expires: 30d" --check
changes "only" 0
excluded 2 "no end at all" "type: name, value: core.dump, expires: soon" --check
check_contains "is refused, with what would be right" "$(said)" 'expires: \"soon\" is no end of an exclusion. Name a day'
excluded 0 "an end that is over takes it away" "${because/dba/storage}, expires: 2020-01-01"
changes "once" 1
excluded 0 "and not" "${because/dba/storage}, expires: 2020-01-01"
changes "twice" 0
check_equal "it is gone" "$(listed | grep -c /srv/db)" 0
excluded 0 "the other one goes, too" "type: name, value: core.dump, state: absent"
check_contains "and none is left" "$(listed)" '"exclusions":[]'

# --- a changed profile

stricter=${profile/audit/real_time}
on three sh -c 'mkdir /var/lib/picket && mount -t tmpfs -o size=1m tmpfs /var/lib/picket'
check_code 2 "a changed profile, and a host whose disk is full" play picket.endpoint.site -l fleet,canary -e "$stricter"
check_contains "which fails alone, with the reason" "$(said)" 'No space left on device. Make room on the file system'
check_contains "and the exit code" "$(said)" 'exit code 12'
on three sh -c 'umount /var/lib/picket && rmdir /var/lib/picket'
check_equal "changes both" "$(count 'changed=1 ')" 2
for name in one two; do
  check_equal "$name: it is in force" "$(on $name picket health --field enforcement_level)" real_time
done

# --- bad input: one message, with what would be right

# refused WHAT HOST VARIABLES MESSAGE…: a run with these variables fails, and says each part of the message once
refused() {
  local what=$1 host=$2 variables=$3 part
  shift 3
  check_code 2 "$what is refused" play picket.endpoint.site -l "$host" -e "$stricter" -e "$variables"
  for part in "$@"; do check_equal "and said once: $part" "$(grep -oF -- "$part" "$scratch/output" | wc -l)" 1; done
  check_equal "with nothing of Ansible's own" "$(count 'An exception occurred')" 0
}
"$onboarding" init --org Other --region eu --directory "$scratch/other" >/dev/null
"$onboarding" create --directory "$scratch/other" -o "$scratch/other.zip" >/dev/null
mkdir "$scratch/cut" && head -c 1000000 "$bundle" >"$scratch/cut/${bundle##*/}"
refused "a profile with a misspelt key" one '{"picket_profile": {"antivirusEngine": {"enforcementLevl": "audit"}}}' \
  'did you mean enforcementLevel' 'exit code 41'
refused "a profile with a value of another type" one '{"picket_profile": {"realTimeProtection": {"openDeadlineMs": "soon"}}}' \
  'realTimeProtection.openDeadlineMs' 'exit code 41'
check_equal "and nothing is changed" "$(on one picket health --field enforcement_level)" real_time
# The role's own arguments are checked by Ansible, in whose result they stand twice.
refused "tags of another type" one '{"picket_tags": "web"}' "failed:\\nargument 'picket_tags' is of type"
refused "a state that there is not" one '{"picket_state": "newest"}' 'failed:\nvalue of picket_state must be one of: present, latest, got: newest'
refused "a bundle that is not there" one '{"picket_bundle": "picket-9.9.9-x86_64.tar.gz"}' 'picket-9.9.9-x86_64.tar.gz is neither beside the playbook' 'name it by its whole path'
refused "a bundle that was cut" three "{\"picket_bundle\": \"$scratch/cut/${bundle##*/}\"}" 'cannot be read as a bundle' 'Fetch it anew'
refused "an onboarding package of another key" three "{\"picket_trust_key\": \"$scratch/other/other.pub\"}" 'exit code 31'
refused "one of no key" one '{"picket_trust_key": ""}' 'onboarding needs \"trust_key\"'
other="{\"picket_onboarding\": \"$scratch/other.zip\", \"picket_trust_key\": \"$scratch/other/other.pub\""
refused "one of another organisation" one "$other}" 'exit code 31'
check_contains "with what would allow it" "$(said)" 'say so with --replace-org'
check "unless the host is to change its organisation" plays picket.endpoint.site -l one --check --diff -e "$other, \"picket_replace_org\": true}"
check_contains "which is predicted" "$(said)" '+    "org_name": "Other",'
echo '- {hosts: one, gather_facts: false, tasks: [{picket.endpoint.picket_agent: {stat: present}}]}' >"$scratch/misspelt.yml"
check_code 2 "an option that the module does not have is refused" play "$scratch/misspelt.yml"
check_contains "with those that there are" "$(said)" 'picket_agent) module: stat. Supported parameters include:'
check_equal "none of it came onto a host" "$(on three sh -c 'ls -d /usr/sbin/picketd /etc/picket 2>/dev/null')" ""

# --- become: another user, su, and its password

on one sh -ec 'useradd --create-home --shell /bin/sh admin && mkdir -m 700 ~admin/.ssh && cp /root/.ssh/authorized_keys ~admin/.ssh && chown -R admin: ~admin/.ssh
  echo root:right | chpasswd'
become() { "$1" picket.endpoint.site -l one -e "$stricter" -e '{"ansible_user": "admin", "ansible_become_method": "su"}' -e "ansible_become_password=$2"; }
check_code 2 "a wrong become password" become play wrong
check_equal "is told once" "$(count 'Incorrect su password')" 1
check_contains "with the fix" "$(said)" '--ask-become-pass'
check "with the right one the run works" become plays right
check_contains "and changes nothing" "$(recap one)" "changed=0"

# --- what site does not use: scans, the profile alone, offboarding, the signature of the bundle, the fact file

threat() { # in two halves, so that no file of this project is what it looks for
  on one sh -c 'mkdir -p /srv/seen && printf "%s%s" "$0" "$1" >/srv/seen/invoice.pdf' 'X5O!P%@AP[4\PZX54(P^)7CC)7}' '$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'
}
everything='kind: custom, path: /srv/seen, ignore_exclusions: true'
excluded 0 "a folder that is excluded" "type: folder, value: /srv/seen"
threat
task 0 "a scan that goes by the exclusion" picket_scan "kind: custom, path: /srv/seen"
changes "finds nothing" 0
task 2 "one that does not" picket_scan "$everything, report_only: true"
check_contains "fails" "$(said)" 'threats were found [picket, exit code 10]'
task 0 "unless told otherwise" picket_scan "$everything, fail_on_threats: false" --check
changes "changing nothing in check mode" 0
check "where the file stays" on one test -e /srv/seen/invoice.pdf
task 0 "and acting on it without" picket_scan "$everything, fail_on_threats: false"
changes "which is a change" 1
check_code 1 "the file is in the quarantine" on one test -e /srv/seen/invoice.pdf
excluded 0 "the exclusion goes" "type: folder, value: /srv/seen, state: absent"

echo '- {hosts: one, gather_facts: false, roles: [picket.endpoint.profile]}' >"$scratch/profile.yml"
echo "extends: ./audit.yaml" >"$scratch/web.yaml" && echo "antivirusEngine: {enforcementLevel: audit}" >"$scratch/audit.yaml"
render=$(sed -n 's/^`\(picket profile render .*\)`\.$/\1/p' "$LAB_CHECKOUT/docs/ansible.md")
check "$render" env PATH="${onboarding%/*}:$PATH" sh -c "cd '$scratch' && $render"
check "the profile alone, from that file" plays "$scratch/profile.yml" -e "picket_profile=$scratch/web.json"
changes "is changed" 1
check_equal "and in force" "$(on one picket health --field enforcement_level)" audit
check "once more" plays "$scratch/profile.yml" -e "picket_profile=$scratch/web.json"
changes "nothing is" 0

onboarded() { on one picket-installer status --output json | grep -o '"onboarded":[a-z]*' | sort -u; }
task 0 "offboarding is predicted" picket_agent "state: offboarded" --check
changes "as a change" 1
check_equal "and not done" "$(onboarded)" '"onboarded":true'
task 0 "then done" picket_agent "state: offboarded"
check_equal "the host belongs to nobody" "$(onboarded)" '"onboarded":false'
task 0 "once more" picket_agent "state: offboarded"
changes "changes nothing" 0

refused "a bundle of another release key" one "picket_release_key=$scratch/acme.pub" 'it is of another key'
refused "a version that is not the bundle's" one 'picket_version=9.9.9' "version 9.9.9 is wanted, and the bundle"
check "with the right key, and whatever organisation comes first" plays picket.endpoint.site -l one -e "$stricter" \
  -e "picket_release_key=$PICKET_RELEASE_KEYS/release-1.pub" -e '{"picket_trust_key": "", "picket_allow_first_use": true}'
check_equal "the host is onboarded again" "$(onboarded)" '"onboarded":true'
facts() { ansible one -i "$scratch/inventory.yml" -m ansible.builtin.setup -a filter=ansible_local 2>&1; }
check_contains "the next facts tell of Picket" "$(facts)" '"onboarded": true'

# --- part of a play, and one host after the other

check "--tags picket_agent" plays picket.endpoint.site -l one -e "$stricter" --tags picket_agent
check_equal "is that task, after the check of its arguments" "$(count '^TASK ')" 2
check "serial" plays picket.endpoint.site -l fleet -e "$stricter" -e picket_serial=1
check_equal "is a batch for each host" "$(count '^PLAY \[')" 2

# --- drift

on one sh -c 'picket tag set --name role --value other >/dev/null && rm /etc/picket/managed.d/50-ansible.json && systemctl stop picketd'
on two sh -c 'dpkg -r picket && echo "{}" >/etc/picket/managed.d/50-ansible.json' >/dev/null 2>&1
check "drift is seen" plays "$scratch/record.yml" -l fleet --check --diff -e "$stricter" -e record=check
check_contains "the setting" "$(said)" '-        "role": "other",'
check_contains "the deleted profile" "$(said)" '-    "profile": null,'
check_contains "the stopped service" "$(said)" '-            "active": false,'
check_contains "the removed package" "$(said)" '-    "package_status": "removed",'
check "and mended" plays "$scratch/record.yml" -l fleet -e "$stricter" -e record=run
for name in one two; do
  check "$name: as was predicted" same_prediction "$name"
done
check "both protect again" plays picket.endpoint.verify -l fleet

# --- a broken host fails alone

package_state() {
  on three sed -i "/^Package: tzdata$/,/^$/ s/^Status: .*/Status: install ok $1/" /var/lib/dpkg/status
}

package_state half-configured
check_code 4 "a half-configured dpkg and a host that is gone" play picket.endpoint.site -e "$stricter"
check_contains "the broken one says why" "$(said)" 'exit code 27'
check_contains "the one that is gone is unreachable" "$(recap four)" 'unreachable=1'
check_equal "the others are as wished" "$(count '^(one|two) .*changed=0 .*unreachable=0 +failed=0')" 2
package_state installed

# --- a rollout stops at its canary

lab_push "$(host_of three)" fanotify_probe.py /root/other-product.py
on three systemd-run --quiet --unit=other sh -c 'touch /srv/file; sleep 900 | python3 /root/other-product.py deny /srv/file'
others=${stricter/web/db}
check_code 2 "a rollout whose canary has another product" play picket.endpoint.rollout -l canary,fleet -e "$others"
check_contains "stops there, with the reason" "$(said)" 'exit code 5'
check_code 1 "and reaches no other host" grep -qE '^(one|two) ' "$scratch/output"
check_code 2 "where every host is served" play picket.endpoint.site -l canary,fleet -e "$stricter"
check_contains "it fails with the same reason" "$(said)" 'exit code 5'
check_equal "alone" "$(count '^(one|two) .*changed=0 .*failed=0')" 2
check "unless that is accepted" plays picket.endpoint.site -l three --check -e '{"picket_accept": ["fanotify.conflict"]}'
on three systemctl stop other

# Somebody's own managed file is bad: no profile comes into force while it is there.
on three sh -c 'mkdir -p /etc/picket/managed.d && echo "{" >/etc/picket/managed.d/60-other.json'
check_code 2 "a rollout whose canary does not go by its profile" play picket.endpoint.rollout -l canary,fleet -e "$others"
check_contains "stops there" "$(said)" 'The rollout stops at this batch'
check_contains "with the reason" "$(said)" 'not in force'
check_code 1 "and reaches no other host" grep -qE '^(one|two) ' "$scratch/output"
check_equal "the canary is put back: it had no Picket" "$(on three sh -c 'ls -d /usr/sbin/picketd /var/lib/picket /var/cache/picket-installer 2>/dev/null')" ""
on three rm -rf /etc/picket
# One of them is passive by its profile: the gate asks for no more than that.
mkdir "$scratch/host_vars"
for name in two three; do echo "$others" >"$scratch/host_vars/$name.yml"; done
echo "${others/real_time/passive}" >"$scratch/host_vars/one.yml"
check "a rollout of what is good" plays picket.endpoint.rollout -l canary,fleet -e '{"picket_batches": [1, 2], "picket_facts": false}'
check_code 1 "without facts where they are not wanted" on three test -e /etc/ansible/facts.d/picket.fact
check_equal "one is passive" "$(on one picket health --field enforcement_level)" passive
rm -r "$scratch/host_vars"
check_equal "reaches all" "$(count '^(one|two|three) .*failed=0')" 3
check_equal "with its tags" "$(on two picket tag list --output json | grep -o '"db"')" '"db"'
check_code 2 "verify refuses the passive one where it is told so" play picket.endpoint.verify -l one -e '{"picket_verify_levels": ["real_time"], "picket_verify_selftest": false}'
check_contains "with the reason" "$(said)" 'the enforcement level in force is passive, and not real_time'

# --- another release of the operating system, in name only

cat >"$scratch/other_release.yml" <<'END'
- name: Become another release
  ansible.builtin.shell: sed 's/^PRETTY_NAME=.*/PRETTY_NAME="Another release"/' /usr/lib/os-release >/etc/os-release.new && mv /etc/os-release.new /etc/os-release
END
echo '- {name: Fail, ansible.builtin.command: "false"}' >"$scratch/failing_upgrade.yml"
os_upgrade() { "$1" picket.endpoint.os_upgrade -l two -e "picket_os_upgrade_tasks=$scratch/$2.yml"; }
check_code 2 "an upgrade of the operating system that fails" os_upgrade play failing_upgrade
check_contains "stops there" "$(said)" "and Picket is back"
check "with the host protected" on two picket selftest
check "one that does not" os_upgrade plays other_release
check_contains "is told among the events" "$(on two picket event list --type protection.weakened --output json)" '"os_upgrade"'
check_code 1 "and is over" on two test -e /var/lib/picket/install/os-upgrade.json
check "the host is as wished" plays picket.endpoint.site -l two -e "$others"
check_contains "nothing has to change" "$(recap two)" "changed=0"

# --- verbs that this installer may not have, the fleet's table, and the end

on one picket tag set --name role --value other >/dev/null
check "the report" plays picket.endpoint.report -e "$others" -e "picket_report_directory=$scratch/report"
check "tells of every host" python3 - "$scratch/report" <<'END'
import csv, json, sys
rows = {row["host"]: row for row in json.load(open(sys.argv[1] + "/picket.json"))}
table = {row["host"]: row for row in csv.DictReader(open(sys.argv[1] + "/picket.csv"))}
page = open(sys.argv[1] + "/picket.html").read()
assert set(rows) == set(table) == {"one", "two", "three", "four"}, (rows, table)
assert [rows[host]["drift"] for host in ("one", "two", "three", "four")] == ["yes", "no", "no", "unknown"], rows
assert rows["two"]["healthy"] is True and table["two"]["healthy"] == "true" and rows["two"]["version"], rows
assert rows["four"]["reachable"] is False and rows["four"]["reason"], rows
assert all(host in page for host in rows) and rows["two"]["profile_sha256"][:12] in page
END
check "uninstall" plays picket.endpoint.uninstall -l canary,fleet -e picket_purge=true
for name in "${HOSTS[@]}"; do
  check_traces "$name: nothing is left" "$before" "$(traces "$name")"
done
check "a second uninstall" plays picket.endpoint.uninstall -l one -e picket_purge=true
check_contains "changes nothing" "$(recap one)" "changed=0"

# --- the controller is killed in the middle

in_the_middle() { on one test -e /var/lib/picket/install/journal.json; }
(cd "$scratch" && exec setsid ansible-playbook picket.endpoint.site -l one -e "$profile" >"$scratch/killed" 2>&1 </dev/null) &
controller=$!
check "a run is in the middle" wait_until 60 in_the_middle
kill -KILL -- "-$controller"
on one sh -c 'for program in /proc/[0-9]*/exe; do case $(readlink "$program") in *picket-installer*) pid=${program#/proc/}; kill -9 "${pid%/exe}" ;; esac; done'
check "the next run finishes it" plays picket.endpoint.site -l one -e "$profile"
check "and the host is protected" on one picket selftest

# --- the guide's first ten lines, word for word but for the hosts' names

mkdir "$scratch/guide"
ln -s "$(realpath "$onboarding")" "$scratch/guide/picket-onboarding"
ln -s "$(realpath "$dist/picket-installer")" "$scratch/guide/picket-installer"
folder=$scratch/guide
# The project's own configuration counts; how hosts are reached is the lab's business.
here() {
  (cd "$folder" && unset ANSIBLE_CONFIG && HOME=$scratch/guide PATH=$scratch/guide:$PATH ANSIBLE_SSH_ARGS="-F $scratch/ssh_config" bash -c "$1" </dev/null)
}
lines=0
while IFS= read -r line; do
  lines=$((lines + 1))
  check "${line:0:110}" here "${line#$ }"
  case $line in '$ cd '*) folder=$folder/${line#??cd } ;; esac
  sed -i 's#web\[01:10\]\.example\.org:#three: {ansible_host: 10.77.0.13}#' "$folder/inventory.yml" 2>/dev/null
done < <(sed -n '/^```console$/,/^```$/ { /^```/d; p; }' "$LAB_CHECKOUT/docs/ansible.md")
check "ten lines are enough" test "$lines" -le 10
check_equal "the host is protected" "$(on three picket health --field real_time_protection_active)" true
check_contains "by the profile of its group" "$(on three cat /etc/picket/managed.d/50-ansible.json)" '"openDeadlineMs": 2000'
check_contains "the report says so" "$(cat "$folder/picket-report/picket.csv")" '"three","true","true"'
check_equal "the project's secret is its owner's alone" "$(stat -c %a "$folder/files/onboarding.zip")" 600
check_contains "a second export keeps the names of the hosts" "$(cd "$folder" && "$dist/picket-installer" export ansible .)" 'Kept as you changed it: inventory.yml'

# --- a newer bundle, exported into the project that its owner has changed

make_newer() { "$LAB_CHECKOUT/tests/packages/other_version.sh" 0.11.0 "$scratch/newer" && echo secret >"$scratch/vault"; }
check "there is a newer bundle" make_newer
echo 'picket_tags: {role: db}' >"$folder/group_vars/all/own.yml"
check "the package is encrypted" here "ansible-vault encrypt --vault-password-file $scratch/vault files/onboarding.zip"
check_code 0 "the newer bundle is exported" "$scratch/newer/picket-installer" export ansible "$folder"
for file in group_vars/all/own.yml inventory.yml files/onboarding.zip; do
  check_contains "$file stays" "$OUTPUT" "Kept as you changed it: $file"$'\n'
done
check_equal "the bundle before is gone" "$(cd "$folder/files" && echo picket-*.tar.gz)" "picket-0.11.0-$(uname -m).tar.gz"
upgrade="ansible-playbook --vault-password-file $scratch/vault upgrade.yml"
check_code 2 "an upgrade that does not pass the gate" here "$upgrade -e '{picket_verify_levels: [passive], picket_gate_retries: 1, picket_gate_delay: 1}'"
check_contains "stops there" "$OUTPUT" 'the enforcement level in force is real_time, and not passive'
check_contains "puts the host back" "$OUTPUT" 'This host was put back'
check_equal "to the version before" "$(on three picket health --field app_version)" 0.1.0
check "one that does takes the newer version" here "$upgrade"
check_equal "to the host" "$(on three picket health --field app_version)" 0.11.0
check_contains "with the owner's settings" "$(on three picket tag list --output json)" '"db"'
check "and it protects" on three picket selftest
echo '# mine' >>"$folder/group_vars/all/export.yml"
check_code 0 "an export where its own file was changed" "$dist/picket-installer" export ansible "$folder"
check_contains "says that there is a newer one" "$OUTPUT" 'Kept as you changed it: group_vars/all/export.yml (there is a newer one'
for kind in ansible:group_vars/all/own.yml:group_vars/all/export.yml puppet:data/common.yaml:data/export.yaml; do
  IFS=: read -r kind own exported <<<"$kind"
  check "$kind: an export without a package" "$dist/picket-installer" export "$kind" "$scratch/late-$kind"
  echo '# mine' >>"$scratch/late-$kind/$own"
  check_code 0 "$kind: and later one with it" "$dist/picket-installer" export "$kind" "$scratch/late-$kind" --onboarding "$scratch/acme.zip"
  check_contains "$kind: $own stays" "$OUTPUT" "Kept as you changed it: $own"
  check_code 0 "$kind: the package and its key are in the project" grep -qE 'trust_key: (files/organisation.pub|RW)' "$scratch/late-$kind/$exported"
done
echo mine >"$scratch/guide/site.yml"
check_code 2 "an export onto somebody's files is refused" "$dist/picket-installer" export ansible "$scratch/guide"
check_contains "with their names" "$OUTPUT" 'site.yml: not written by an export'
exit "$ASSERT_FAILED"
