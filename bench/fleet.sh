#!/usr/bin/env bash
# ./dev bench fleet: what a run of Ansible costs on hosts on which nothing has to change, beside `ping` and the gathering of
# facts on the same hosts; and the bytes that go over the wire, those of the first run as well. PICKET_BENCH_HOSTS: how many hosts (20; each needs about
# 300 MB of memory and half a minute to be made).
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
. tests/lab/lab.sh
. tests/lab/network.sh
hosts=${PICKET_BENCH_HOSTS:-20} rounds=${PICKET_BENCH_ROUNDS:-3} forks=10
missing=$(lab_missing)
[ -z "$missing" ] || { echo "skip: no lab host: $missing"; exit 0; }
command -v ansible-playbook >/dev/null || { echo "skip: ansible-core is not installed (./dev setup)"; exit 0; }
if [ "${LAB_NETWORK:-}" != $$ ] && [ -z "${PICKET_BENCH_DIST:-}" ]; then ./dev package --distribution >/dev/null; fi
lab_own_network "$top/bench/fleet.sh" "$@"

mapfile -t numbers < <(seq "$hosts")
lab_hosts fleet "${numbers[@]}"
export PICKET_LAB_LIGHT=yes # else 128 inotify instances, which is all that root has on most machines, are too few for 20
export HOME=$scratch PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 ANSIBLE_NOCOLOR=1 ANSIBLE_HOST_KEY_CHECKING=false
export ANSIBLE_SSH_ARGS="-i $scratch/key -o UserKnownHostsFile=/dev/null -o ControlMaster=auto -o ControlPersist=600s"
export ANSIBLE_FORKS=$forks
ssh-keygen -q -t ed25519 -N '' -f "$scratch/key"
build/bin/picket-onboarding init --org Bench --region lab >/dev/null
build/bin/picket-onboarding create -o "$scratch/acme.zip" >/dev/null
build/dist/picket-installer export ansible "$scratch/fleet" --onboarding "$scratch/acme.zip" >/dev/null
cd "$scratch/fleet"

boot() {
  local number
  for number in "${HOSTS[@]}"; do
    lab_up_connected "$number" $((10 + number)) && lab_allow_ssh "$(host_of "$number")" "$scratch/key.pub" >/dev/null || return
    printf '        host%02d: {ansible_host: 10.77.0.%d}\n' "$number" $((10 + number)) >>"$scratch/names"
  done
  sed -i -e "/^    servers:/,/hosts/ s/ {}//" -e "/^    servers:/,/hosts/ { /hosts:/ r $scratch/names
  }" inventory.yml
  printf -- '- hosts: all\n  gather_facts: true\n  tasks:\n    - ansible.builtin.ping:\n' >base.yml
}

# Both directions, of all hosts.
bytes() { awk '/veth/ { sub(/.*:/, ""); sum += $1 + $9 } END { print sum }' /proc/self/net/dev; }

# measure NAME PLAYBOOK [ROUNDS]: each round is a line "NAME start end bytes-before bytes-after"
measure() {
  local before start
  for ((round = 0; round < ${3:-$rounds}; ++round)); do
    before=$(bytes) start=$EPOCHREALTIME
    ansible-playbook "$2" >"$scratch/output" || { tail -n 20 "$scratch/output" >&2; return 1; }
    echo "$1 $start $EPOCHREALTIME $before $(bytes)" >>"$scratch/rounds"
  done
}

boot
measure first site.yml 1
[ "$(grep -c 'changed=[1-9].*failed=0' "$scratch/output")" = "$hosts" ] || { echo "not every host was installed" >&2; exit 1; }
measure base base.yml
measure site site.yml
[ "$(grep -c 'changed=0 .*failed=0' "$scratch/output")" = "$hosts" ] || { echo "a host was changed by the second run" >&2; exit 1; }
tasks=$(grep -c '^TASK' "$scratch/output")
python3 - "$scratch/rounds" "$top/build/bench/fleet.json" "$hosts" "$forks" "$tasks" <<'END'
import json, os, platform, statistics, sys
rounds, output, hosts, forks, tasks = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
seconds, sent = ({name: [] for name in ("first", "base", "site")} for unused in range(2))
for line in open(rounds):
    name, start, end, before, after = line.split()
    seconds[name].append(float(end) - float(start))
    sent[name].append(int(after) - int(before))
result = {"machine": f"{os.cpu_count()} processors, kernel {platform.release()}", "hosts": hosts, "forks": forks, "tasks": tasks}
for name in seconds:
    result[name + "_ms_per_host"] = round(statistics.median(seconds[name]) * 1000 / hosts)
    result[name + "_bytes_per_host"] = round(statistics.median(sent[name]) / hosts)
result["ratio"] = round(statistics.median(seconds["site"]) / statistics.median(seconds["base"]), 2)
os.makedirs(os.path.dirname(output), exist_ok=True)
json.dump(result, open(output, "w"), indent=1)
print(result.pop("machine"))
for name, value in result.items():
    print(f"{name:<24} {value:>10}")
if tasks > 6 or result["ratio"] > 1.5:
    sys.exit("more than was promised: 6 tasks, 1.5 times ping and facts")
END
