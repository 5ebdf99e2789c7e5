# shellcheck shell=bash disable=SC2154 # assert.sh sets
# An Ansible controller in $scratch, with the collection of this checkout and an organisation's keys. Sourced after network.sh.

# as_controller: what is run from now on, runs as on it: first, and not in a subshell (`check` has one)
as_controller() {
  export HOME=$scratch ANSIBLE_CONFIG=$scratch/ansible.cfg ANSIBLE_NOCOLOR=1 PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
  unset SSH_AUTH_SOCK
}

# make_controller: ansible.cfg, a key for ssh, acme.zip and acme.pub, the collection. ssh_config is there to be added to.
make_controller() {
  cat >"$scratch/ssh_config" <<END
Host *
  User root
  IdentityFile $scratch/key
  IdentitiesOnly yes
  UserKnownHostsFile $scratch/known_hosts
END
  cat >"$ANSIBLE_CONFIG" <<END
[defaults]
inventory = $scratch/inventory.yml
collections_path = $scratch/collections
local_tmp = $scratch/local
interpreter_python = /usr/bin/python3
timeout = 30
[ssh_connection]
pipelining = true
ssh_args = -F $scratch/ssh_config -o ControlMaster=auto -o ControlPersist=300s
control_path_dir = $scratch/cp
END
  ssh-keygen -q -t ed25519 -N '' -f "$scratch/key" &&
    "$onboarding" init --org Acme --region eu && "$onboarding" create --tag site=lab -o "$scratch/acme.zip" &&
    cp "$HOME/.config/picket/organisation/acme.pub" "$scratch/acme.pub" &&
    ansible-galaxy collection build "$LAB_CHECKOUT/ansible" --output-path "$scratch" &&
    ansible-galaxy collection install "$scratch"/picket-endpoint-*.tar.gz -p "$scratch/collections" --offline
}

# boot_for_controller NAME NUMBER: up, at 10.77.0.NUMBER, and known to it
boot_for_controller() {
  local key
  lab_up_connected "$1" "$2" && key=$(lab_allow_ssh "$(host_of "$1")" "$scratch/key.pub") || return
  echo "10.77.0.$2 ${key% *}" >>"$scratch/known_hosts"
}

# play PLAYBOOK ARGUMENT…: `said` is its output, `recap HOST` what it said of a host at the end. The tests' own errors go to 3.
play() {
  local code=0
  (cd "$scratch" && ansible-playbook "$@" >"$scratch/output" 2>&1 </dev/null) || code=$?
  [ -z "${PICKET_TEST_VERBOSE:-}" ] || { printf '%s\n' "--- $SECONDS s: $*" && said; } >&3
  return "$code"
}
said() { cat "$scratch/output"; }
recap() { sed -n "s/^$1 *: //p" "$scratch/output"; }
# The first of its failures is enough to know.
plays() { play "$@" || { grep -A 8 -m 1 -E '^fatal|ERROR' "$scratch/output" | cut -c1-1500; return 1; }; }
