# shellcheck shell=bash disable=SC2154 # controller.sh and puppet_apply.sh set
# What Ansible and what Puppet promise on a host of whatever distribution: predicted, done, not done twice, mended, taken
# away. Sourced after controller.sh and puppet_apply.sh. $HOST is up, and there is no Picket on it.

# ansible_holds WHERE NUMBER PYTHON REMOVE: WHERE is for people, the host is at 10.77.0.NUMBER, its Python is
# /usr/bin/PYTHON, and REMOVE is a command that takes the package away
ansible_holds() {
  local where="$1, Ansible" before
  before=$(picket_traces "$HOST")
  cat >"$scratch/inventory.yml" <<END
all:
  vars:
    ansible_python_interpreter: /usr/bin/$3
    picket_bundle: $bundle
    picket_onboarding: $scratch/acme.zip
    picket_trust_key: $scratch/acme.pub
    picket_profile: {antivirusEngine: {enforcementLevel: audit}}
  hosts:
    it: {ansible_host: 10.77.0.$2}
END
  check "$where: what would be done can be asked" plays picket.endpoint.site --check --diff
  check_contains "$where: with the answer" "$(said)" '+    "installed": true,'
  check_traces "$where: without doing it" "$before" "$(picket_traces "$HOST")"
  check "$where: site protects the host" plays picket.endpoint.site
  check_code 0 "$where: which proves it" in_host picket selftest
  check_contains "$where: with the profile" "$(in_host picket health)" audit
  check "$where: a second run" plays picket.endpoint.site
  check_contains "$where: changes nothing" "$(recap it)" "changed=0"
  in_host sh -c "$4 && rm /etc/picket/managed.d/50-ansible.json" >/dev/null 2>&1
  check "$where: drift is seen" plays picket.endpoint.site --check --diff
  check_contains "$where: the removed package" "$(said)" '+    "package_status": "installed",'
  check_contains "$where: the deleted profile" "$(said)" '-    "profile": null,'
  check "$where: and mended" plays picket.endpoint.site
  check "$where: verify" plays picket.endpoint.verify
  check "$where: uninstall" plays picket.endpoint.uninstall -e picket_purge=true
  check_traces "$where: leaves nothing" "$before" "$(picket_traces "$HOST")"
}

# puppet_holds WHERE REMOVE: what the project needs is in the host's /root
puppet_holds() {
  local where="$1, Puppet" before
  puppet_project
  before=$(left)
  apply 0 "$where: what would be done can be asked" --noop
  check_contains "$where: with the answer" "$OUTPUT" "Picket_agent[picket]/ensure: "
  check_traces "$where: without doing it" "$before" "$(left)"
  apply 2 "$where: a run protects the host"
  check_code 0 "$where: which proves it" in_host picket selftest
  check_contains "$where: with the profile" "$(in_host picket profile explain realTimeProtection.openDeadlineMs)" 1500
  apply 0 "$where: a second run changes nothing"
  check_equal "$where: and says nothing" "$OUTPUT" ""
  in_host sh -c "$2 && rm /etc/picket/managed.d/50-puppet.json" >/dev/null 2>&1
  apply 0 "$where: drift is seen" --noop
  check_contains "$where: the removed package" "$OUTPUT" "Picket_agent[picket]/ensure: "
  check_contains "$where: the deleted profile" "$OUTPUT" "Picket_profile[puppet]/ensure: "
  apply 2 "$where: and mended"
  check_code 0 "$where: the host is protected again" in_host picket selftest
  ensure absent
  purge
  apply 2 "$where: with ensure absent and purge it goes"
  check_traces "$where: and nothing is left" "$before" "$(left)"
}
