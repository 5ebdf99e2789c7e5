#!/usr/bin/env bash
# Ansible and Puppet against hosts that are not of the release that the tests run on, with the shipped package: Debian 11
# with python 2.7 and no other (as RHEL 7), Debian 13 with its Python and its Puppet 8, the stand-in for RHEL's family.
set -u
exec 3>&2
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh
# shellcheck source=tests/lab/network.sh
. ./network.sh
# shellcheck source=tests/lab/controller.sh
. ./controller.sh
# shellcheck source=tests/lab/puppet_apply.sh
. ./puppet_apply.sh
# shellcheck source=tests/lab/drivers.sh
. ./drivers.sh
# shellcheck source=tests/lab/el.sh
. ./el.sh
needs_hosts
needs debootstrap ansible-playbook ansible-galaxy ip ssh sshd
needs_bundle

# RELEASE NUMBER PYTHON PACKAGES: Puppet is tried where it is among the packages
table='bullseye 11 python2.7 python2.7,openssh-server,sudo
trixie 12 python3 python3,openssh-server,sudo,puppet-agent'
declare -A trees
while read -r release _ _ packages; do
  trees[$release]=$(./base_tree.sh "$release+$packages") || skip "the tree of $release cannot be made here"
done <<<"$table"
lab_own_network "$PWD/../portable/drivers_test.sh" "$@" || exit 1
lab_hosts drivers "${!trees[@]}" el
as_controller
check "the controller is ready" make_controller

# try_host NAME NUMBER PYTHON PACKAGES REMOVE: the last takes the package away
try_host() {
  local what='. /etc/os-release; echo "$PRETTY_NAME"; "$0" --version 2>&1; command -v python3 || echo no python3; puppet --version || echo no puppet'
  echo "--- $1: $(in_host sh -c "$what" "$3" 2>/dev/null | paste -sd,)"
  ansible_holds "$1" "$2" "$3" "$5"
  [[ $4 != *puppet* ]] || { bring "$HOST" && puppet_holds "$1" "$5"; }
  lab_down "$HOST"
}

while read -r -a row <&4; do
  HOST=$(host_of "${row[0]}")
  PICKET_LAB_BASE=${trees[${row[0]}]}
  export PICKET_LAB_BASE
  check "${row[0]}: the host is up" boot_for_controller "${row[0]}" "${row[1]}"
  try_host "${row[@]}" "dpkg -r picket"
done 4<<<"$table"

unset PICKET_LAB_BASE
export ANSIBLE_BECOME_METHOD=su # not every machine lends a host its sudo
become_el() {
  local rpm libraries
  rpm=$(find "$dist" -name 'picket-*.rpm' | head -n 1)
  el_make && libraries=$(el_libraries "$scratch" "$rpm") && lab_push "$HOST" "$libraries" /root/lab-libraries.rpm && in_host rpm -i /root/lab-libraries.rpm
}
missing=$(el_missing)
if [ -z "$missing" ]; then
  HOST=$(host_of el)
  check "el: the host is up" boot_for_controller el 13
  check "el: and looks like RHEL's family" become_el
  try_host el 13 python3 puppet "rpm -e picket"
else
  echo "part of the test left out: ${missing//$'\n'/; }"
fi
exit "$ASSERT_FAILED"
