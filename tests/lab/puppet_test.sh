#!/usr/bin/env bash
# The Puppet module on a real host, with `puppet apply`, and the commands and files of docs/puppet.md.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top/tests/lab" || exit 1
. ./lab.sh
. ./assert.sh
. ./puppet_apply.sh

needs puppet
with_bundle_host puppet
key=$(tail -n 1 "$scratch"/.config/picket/organisation/acme.pub)

puppet_project
check "the document shows data of one host" in_host test -s "$environment/data/nodes/$certname.yaml"
. ../../packaging/release_keys.sh
trust=$(sed -n 's/.*(`\(minisign .*\) KEY`).*/\1/p' "$document")
check "$trust KEY" sh -c "cd '$dist' && $trust '$(tail -n 1 "$PICKET_RELEASE_KEYS/release-1.pub")'"
check_contains "the organisation's key is in the project" "$(in_host cat "$environment/data/export.yaml")" "picket::trust_key: $key"
check_equal "the project's secret is not everybody's" "$(in_host stat -c '%a' "$environment/modules/picket_files/files/onboarding.zip" | tail -c 2)" 0
check_equal "an export once more writes nothing" "$(in_host sh -c 'cd /root && ./picket-installer export puppet "$0" --output json' "$environment" | grep -o '"written":\[\]')" '"written":[]'

# profile VALUE: the document's Hiera data with another value
profile() { put "data/nodes/$certname.yaml" <<<"${common/openDeadlineMs: 1500/openDeadlineMs: $1}"; }
in_force() { in_host picket profile explain realTimeProtection.openDeadlineMs --output json; }
before=$(left)

apply 0 "a run that only predicts works on a host that has nothing" --noop
check_contains "and predicts that Picket will be there" "$OUTPUT" "Picket_agent[picket]/ensure: current_value 'absent', should be 'present' (noop)"
check_contains "and its profile" "$OUTPUT" "Picket_profile[puppet]/ensure: current_value 'absent', should be 'present' (noop)"
check_traces "and changes nothing" "$before" "$(left)"

HOME=$scratch "$onboarding" init --org Other --region eu --directory "$scratch/other" >/dev/null
put "data/nodes/$certname.yaml" <<<"picket::trust_key: $(tail -n 1 "$scratch/other/other.pub")"
apply 6 "a package that is not of the key is refused"
check_equal "with the installer's words, once" "$(grep -c 'Error: .*(exit code 31)' <<<"$OUTPUT")" 1
check_equal "and nothing is installed" "$(in_host sh -c 'ls -d /usr/sbin/picketd /etc/picket 2>/dev/null')" ""
put "data/nodes/$certname.yaml" <<<"$common"
apply 2 "the first run changes the host"
check_contains "to one with Picket" "$OUTPUT" "Picket_agent[picket]/ensure: created"
check "it is protected: task verify proves it" in_host sh "$environment/modules/picket/tasks/verify.sh"
check "task scan answers" in_host env PT_kind=custom PT_path=/etc/hostname sh "$environment/modules/picket/tasks/scan.sh"
check_contains "the profile is in force, from Puppet's file" "$(in_force)" '"file":"/etc/picket/managed.d/50-puppet.json"'
check_contains "the tags are there" "$(in_host picket-installer status --output json)" '"role":"web"'
fact() { in_host facter --custom-dir "$environment/modules/picket/lib/facter" --json picket; }
check_contains "the fact says that it protects" "$(fact)" '"protecting": true'
# Ansible has a file of its own there.
in_host sh -c 'echo "{\"realTimeProtection\": {\"execFailureAction\": \"deny\"}}" >/etc/picket/managed.d/50-ansible.json'
apply 0 "the second run changes nothing"
check_equal "and says nothing" "$OUTPUT" ""
check_contains "health warns of two drivers" "$(in_host picket health --output json)" '"two_drivers"'
check_contains "and the other's file is as it was" "$(in_host cat /etc/picket/managed.d/50-ansible.json)" deny
in_host rm /etc/picket/managed.d/50-ansible.json

profile 1234
in_host sh -c 'rm /etc/picket/tags.json; systemctl stop picketd.service'
apply 0 "drift and a changed profile are predicted" --noop
check_contains "a file that was deleted" "$OUTPUT" "Picket_agent[picket]/tags: current_value 'absent'"
check_contains "a service that was stopped" "$OUTPUT" "picketd.service inactive/dead', should be "
check_contains "the profile" "$OUTPUT" '"openDeadlineMs":1234'
apply 2 "the next run mends them"
check_contains "the deleted file" "$OUTPUT" "tags changed 'absent' to '"
check_contains "the stopped service" "$OUTPUT" "to 'running'"
check_contains "the key of the profile" "$OUTPUT" "settings changed: realTimeProtection.openDeadlineMs 1500 to 1234"
check_contains "which is in force" "$(in_force)" '"value":1234'
check "it is protected again" in_host picket-installer selftest

in_host sh -c 'dpkg -r picket && rm /etc/picket/managed.d/50-puppet.json' >/dev/null 2>&1
# The next run must fail half-way: what the package brings has no room there.
in_host sh -c 'mkdir -p /usr/libexec/picket && mount -t tmpfs -o size=200k none /usr/libexec/picket'
apply 4 "a run that fails says so"
check_equal "once, with the reason" "$(grep -c 'No space left on device' <<<"$OUTPUT")" 1
check_contains "and what to do" "$OUTPUT" "(exit code 21); fix: Everything was undone."
in_host sh -c 'umount /usr/libexec/picket && rmdir /usr/libexec/picket'
in_host sh -c 'cp -L /etc/os-release /run/os-release && rm -f /etc/os-release && printf "ID=arch\nNAME=\"Arch Linux\"\n" >/etc/os-release'
apply 4 "on a system that is not supported it fails"
check_equal "with the installer's words, once" "$(grep -c 'distro.supported: Arch Linux (exit code 10); fix: ' <<<"$OUTPUT")" 1
in_host cp /run/os-release /etc/os-release
package_state() { in_host sed -i "/^Package: tzdata$/,/^$/ s/^Status: .*/Status: install ok $1/" /var/lib/dpkg/status; }
package_state half-configured
apply 4 "nor does it begin where a package is half-configured"
check_equal "with the reason, once" "$(grep -c 'tzdata.*(exit code 27); fix: ' <<<"$OUTPUT")" 1
package_state installed
lab_push "$HOST" fanotify_probe.py /root/other-product.py
in_host systemd-run --quiet --unit=other sh -c 'touch /srv/file; sleep 900 | python3 /root/other-product.py deny /srv/file'
apply 4 "nor beside another product"
check_equal "which is named, once" "$(grep -c 'fanotify.conflict: .*python3.* (pid .*(exit code 5); fix: ' <<<"$OUTPUT")" 1
in_host systemctl stop other

in_host systemd-run --quiet --unit=killed puppet apply --environment picket "$environment/manifests/site.pp"
in_the_middle() { in_host test -e /var/lib/picket/install/journal.json; }
check "a run is in the middle" wait_until 60 in_the_middle
in_host systemctl kill --signal=KILL killed
check_contains "and is killed" "$(in_host systemctl show killed -p Result)" signal
apply 2 "the next one finishes it: a package that was removed is put back"
check_contains "as a change of ensure" "$OUTPUT" "Picket_agent[picket]/ensure: created"
check_contains "with the profile" "$OUTPUT" "Picket_profile[puppet]/ensure: created"
check "and it is protected" in_host picket-installer selftest

profile 'true'
apply 4 "a profile with a fault is refused"
check_equal "in picket's words, once" "$(grep -c 'realTimeProtection.openDeadlineMs: .*(exit code 41)' <<<"$OUTPUT")" 1
check_contains "and the old one stays in force" "$(in_force)" '"value":1234'

put "data/nodes/$certname.yaml" <<<"{}"
block '`picket::tags` by key:' | put data/groups/servers.yaml
check "there is a newer bundle" "$top/tests/packages/other_version.sh" 0.11.0 "$scratch/0.11.0"
in_host mkdir /root/0.11.0
for file in picket-installer "picket-0.11.0-$(uname -m).tar.gz"; do lab_push "$HOST" "$scratch/0.11.0/$file" "/root/0.11.0/$file"; done
check_code 0 "which is exported into the same folder" in_host /root/0.11.0/picket-installer export puppet "$environment"
version() { in_host picket health --field app_version; }
in_host rm -r /root/0.11.0
apply 2 "it lands on the host"
check_contains "with what the document shows of a group: the profile" "$(in_force)" '"value":3000'
check_contains "and the tag" "$(in_host picket tag list --output json)" '"database"'
check_equal "which stays with the version that it has" "$(version)" 0.1.0
apply 0 "and that is no change"
ensure latest
apply 0 "with ensure latest an upgrade is predicted" --noop
check_contains "with both versions" "$OUTPUT" "Picket_agent[picket]/version: current_value '0.1.0', should be '0.11.0' (noop)"
ensure present
# site CODE: what the document declares, instead of the nodes of the project
site() { put manifests/site.pp <<<"\$picket_group = 'servers'"$'\n'"$1"; }
site "$(block 'Those that have one stay with it')"
apply 2 "and done"
check_contains "as a change of the version" "$OUTPUT" "Picket_agent[picket]/version: version changed '0.1.0' to '0.11.0'"
check_equal "which runs" "$(version)" 0.11.0
check "and protects" in_host picket-installer selftest
apply 0 "the next run changes nothing"

put modules/picket_files/files/web.yaml <<<"realTimeProtection: {openDeadlineMs: 2500}"
check "a whole file is a profile" in_host sh -c "cd '$environment/modules/picket_files/files' && $(sed -n 's/^`\(picket profile validate web.yaml\)`.*/\1/p' "$document")"
grep -o 'picket::profile_source: [^`]*' "$document" | put data/groups/servers.yaml
apply 2 "and a host's instead of keys"
check_contains "where it is in force" "$(in_force)" '"value":2500'

site "$(block 'once the bundle is on the host.')"
apply 2 "with ensure absent Picket goes"
check_equal "and what it knew stays, as with Ansible" \
  "$(in_host sh -c 'ls /usr/sbin/picketd /etc/picket/onboarding.json /etc/picket/managed.d/50-puppet.json 2>/dev/null' | xargs)" \
  "/etc/picket/managed.d/50-puppet.json /etc/picket/onboarding.json"
apply 0 "the next run changes nothing"
site "include picket"
secret=$(base64 -w 0 "$scratch/acme.zip")
put "data/nodes/$certname.yaml" <<END
picket::onboarding_source: ~
picket::onboarding_content: $secret
picket::installer_checksum: $(sha256sum "$scratch/0.11.0/picket-installer" | cut -d' ' -f1)
END
apply 2 "it comes back as what it was, by a package that is a secret of Hiera's and an installer that is pinned"
check_equal "which lands as it is" "$(in_host sha256sum /var/cache/picket-puppet/onboarding.zip | cut -d' ' -f1)" "$(sha256sum "$scratch/acme.zip" | cut -d' ' -f1)"
check_equal "and is not shown" "$(grep -c -e "${secret:0:60}" -e "$(unzip -p "$scratch/acme.zip" enrolment.token | head -c 24)" <<<"$OUTPUT")" 0
ensure absent
purge
apply 2 "with purge all of it goes"
check_traces "and nothing is left" "$before" "$(left)"
check_code 2 "not even a user" in_host getent passwd picket-engine
exit "$ASSERT_FAILED"
