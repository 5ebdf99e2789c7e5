# shellcheck shell=bash
# A network between the test and its hosts, for tests that need one. Sourced after lab.sh, before the first host.
#
# lab_own_network runs the test again in a network namespace of its own, that has a bridge and nothing else: there is
# no way from it to the machine's networks, and it ends with the test. lab_connect gives a host that is up an interface
# on the bridge. Hosts that nobody connects keep loopback alone.

LAB_BRIDGE=lab0
LAB_CONTROLLER_ADDRESS=10.77.0.1

# lab_own_network SCRIPT ARGUMENT…: call it first
lab_own_network() {
  if [ "${LAB_NETWORK:-}" != $$ ]; then
    # exec: the process id stays, and with it the answer to whether this was done.
    LAB_NETWORK=$$ exec unshare --net "$@"
  fi
  ip link set lo up && ip link add "$LAB_BRIDGE" type bridge && ip link set "$LAB_BRIDGE" up &&
    ip address add "$LAB_CONTROLLER_ADDRESS/24" dev "$LAB_BRIDGE"
}

# lab_hosts PREFIX NAME…: the hosts of this test, $HOSTS, and its folder, $scratch. Whoever of them is up at the end is taken
# down, and the folder goes.
lab_hosts() {
  LAB_PREFIX=$1
  HOSTS=("${@:2}")
  scratch=$(mktemp -d)
  trap lab_hosts_end EXIT
}
lab_hosts_end() {
  local name
  for name in "${HOSTS[@]}"; do lab_down "$(host_of "$name")"; done
  rm -rf -- "${scratch:?}"
}
host_of() { echo "$LAB_PREFIX-$1-$$"; }

# lab_up_connected NAME NUMBER
lab_up_connected() { lab_up "$(host_of "$1")" && lab_connect "$(host_of "$1")" "$2"; }

# on NAME COMMAND…
on() { lab_run "$(host_of "$1")" "${@:2}"; }

# lab_connect NAME NUMBER: the host gets 10.77.0.NUMBER
lab_connect() {
  local name=$1 number=$2 leader
  leader=$(lab_leader "$name") || lab_fail "host $name is not up" || return
  ip link add "veth$number" type veth peer name eth0 netns "$leader" &&
    ip link set "veth$number" master "$LAB_BRIDGE" up &&
    nsenter -t "$leader" -n ip address add "10.77.0.$number/24" dev eth0 &&
    nsenter -t "$leader" -n ip link set eth0 up
}

# lab_allow_ssh NAME PUBLIC_KEY: root may log in with that key; prints the host's own public key
lab_allow_ssh() {
  lab_run "$1" sh -ec 'mkdir -p /root/.ssh /run/sshd && chmod 700 /root/.ssh && cat >/root/.ssh/authorized_keys
    chmod 600 /root/.ssh/authorized_keys
    rm -f /etc/ssh/ssh_host_* && ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
    systemctl restart ssh.service
    cat /etc/ssh/ssh_host_ed25519_key.pub' <"$2"
}
