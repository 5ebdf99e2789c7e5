#!/usr/bin/env bash
# The Puppet module as a fleet has it: a real puppetserver with its own certificate authority, agents that talk to it over
# TLS, and the project that picket-installer exports as their environment. The commands are those of docs/puppet.md.
# Everything runs in a network of its own, in which there are the hosts and nothing else.
set -u
cd "$(dirname "$0")" || exit 1
. ./lab.sh
. ./assert.sh
. ./network.sh

needs_hosts
needs puppet puppetserver ip
needs_bundle
lab_own_network "$PWD/puppetserver_test.sh" "$@" || exit 1
lab_hosts pup server web1 web2 databases

# --- a server and three agents

boot() {
  local number=10 name
  for name in "${HOSTS[@]}"; do
    printf '10.77.0.%d %s.example.org %s\n' "$number" "$name" "$name" >>"$scratch/hosts"
    printf '[main]\ncertname = %s.example.org\nserver = server.example.org\n' "$name" >"$scratch/$name.conf"
    lab_up_connected "$name" "$number" && lab_push "$(host_of "$name")" "$scratch/$name.conf" /etc/puppet/puppet.conf || return
    number=$((number + 1))
  done
  for name in "${HOSTS[@]}"; do on "$name" sh -c 'cat >>/etc/hosts' <"$scratch/hosts" || return; done
}

# One small instance is enough for three agents. They take its answer to a certificate request as ended when the
# connection is, which is after 30 s unless it is told otherwise.
start_server() {
  # An environment that every server has, and its logs: hosts are lent nothing of the machine's /var/log.
  on server install -d -o puppet -g puppet /etc/puppet/code/environments/production /var/log/puppetserver &&
    on server sed -i -e 's/^JAVA_ARGS=.*/JAVA_ARGS="-Xms256m -Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"/' /etc/default/puppetserver &&
    on server sed -i -e 's/#max-active-instances: 1/max-active-instances: 1/' /etc/puppet/puppetserver/conf.d/puppetserver.conf &&
    on server sed -i -e 's/^webserver: {/&\n    idle-timeout-milliseconds: 5000/' /etc/puppet/puppetserver/conf.d/webserver.conf &&
    on server systemctl start puppetserver.service
}

# What the document tells to do on a server, and on a host: lines of its blocks.
document=$LAB_CHECKOUT/docs/puppet.md
lines_for() { sed -n "/^## From nothing/,/^## /s/^$1# //p" "$document"; }
bring_to_server() {
  HOME=$scratch "$onboarding" init --org Acme --region eu >/dev/null && HOME=$scratch "$onboarding" create -o "$scratch/acme.zip" >/dev/null &&
    bring "$(host_of server)"
}
mapfile -t agent_runs < <(lines_for host)

# run_agent NAME [OPTION…]: as the document says it; what it said is in $scratch/NAME.said, its exit code in NAME.code
run_agent() {
  local name=$1 code=0
  shift
  # shellcheck disable=SC2086 # words of a command line
  on "$name" ${agent_runs[1]} --color=false "$@" >"$scratch/$name.said" 2>&1 || code=$?
  echo $code >"$scratch/$name.code"
}
said() { cat "$scratch/$1.said"; }
# agents WHAT NAME=CODE…: a run on each, at the same time, ends with that code
agents() {
  local what=$1 pair name
  shift
  for pair in "$@"; do run_agent "${pair%=*}" & done
  wait
  for pair in "$@"; do
    name=${pair%=*}
    check_equal "$name: $what" "$(cat "$scratch/$name.code")" "${pair#*=}"
    [ "$(cat "$scratch/$name.code")" = "${pair#*=}" ] || said "$name"
  done
}
left() { picket_traces "$(host_of "$1")" | grep -v -e /puppet/ -e /run/picket-installer.lock; }

check "four hosts are up" boot
check "the server starts, and makes its certificate authority" start_server
check "installer, bundle and onboarding package are on the server" bring_to_server
while read -r line; do
  check "${line:0:110}" on server sh -c "cd /root && $line" </dev/null
done < <(lines_for server)
check_equal "the document shows what to run on a host" "${#agent_runs[@]}" 2

[ "$ASSERT_FAILED" = 0 ] || exit 1 # nothing of what follows says more
agents "an agent whose certificate nobody signed gets nothing" web1=1 web2=1 databases=1
check_contains "and says so" "$(said web1)" "has not been signed yet"
check "the authority signs them" on server puppetserver ca sign --all
before=$(left web1)

# --- predicted, done, unchanged

run_agent web1 --noop
check_equal "a run that only predicts is no failure" "$(cat "$scratch/web1.code")" 0
check_contains "predicts that Picket will be there" "$(said web1)" "Picket_agent[picket]/ensure: current_value 'absent', should be 'present' (noop)"
check_traces "and changes nothing" "$before" "$(left web1)"
on databases sh -c 'mkdir /var/lib/picket && mount -t tmpfs -o size=1m tmpfs /var/lib/picket'
agents "the first run protects every host that it can; one whose disk is full fails alone" web1=2 web2=2 databases=6
check_contains "with the reason" "$(said databases)" "No space left on device (exit code 12); fix: Make room on the file system"
reports=/var/lib/puppetserver/reports
check "which the server has in a report" on server sh -c 'grep -q "^status: failed" "$0"/databases.example.org/*.yaml && grep -q "No space left" "$0"/databases.example.org/*.yaml' $reports
check_equal "of this host alone" "$(on server sh -c 'cd "$0" && grep -l "^status: failed" */*.yaml | cut -d/ -f1 | sort -u' $reports)" databases.example.org
for name in web1 web2; do check "$name: it is protected" on "$name" picket selftest; done
agents "the second run changes nothing" web1=0 web2=0
check_equal "and says nothing of Picket" "$(said web1 | grep -i -e '^Notice: .*picket' -e '^Error')" ""
on databases sh -c 'umount /var/lib/picket && rmdir /var/lib/picket'

# --- a changed profile

environment=$(on server puppet config print environmentpath)/picket
on server sed -i 's/openDeadlineMs: .*/openDeadlineMs: 1234/' "$environment/data/groups/servers.yaml"
agents "a changed profile of a group, and a host that now has room" web1=2 web2=2 databases=2
for name in web1 web2; do
  check_contains "$name: it is in force" "$(on "$name" picket profile explain realTimeProtection.openDeadlineMs --output json)" '"value":1234'
done
check "the third host is protected, too" on databases picket selftest

# --- drift

on web1 systemctl stop picketd.service
on web1 sh -c 'echo "{}" >/etc/picket/managed.d/50-puppet.json'
on web2 rm /usr/libexec/picket/picket-engine
agents "a service that was stopped, a profile that was changed by hand and a program that was deleted are mended" web1=2 web2=2
check_contains "the profile by its key" "$(said web1)" "realTimeProtection.openDeadlineMs"
check_contains "which is in force again" "$(on web1 picket profile explain realTimeProtection.openDeadlineMs --output json)" '"value":1234'
check_contains "the service by name" "$(said web1)" "picketd.service inactive/dead"
for name in web1 web2; do check "$name: it is protected again" on "$name" picket selftest; done
agents "after that nothing changes" web1=0 web2=0 databases=0

# --- the end

on server sh -c 'sed -i "s/^picket::ensure: .*/picket::ensure: absent/" "$0" && echo "picket::purge: true" >>"$0"' "$environment/data/common.yaml"
agents "with ensure absent and purge it goes" web1=2 web2=2 databases=2
for name in web1 web2; do check_traces "$name: and nothing is left" "$before" "$(left "$name")"; done
exit "$ASSERT_FAILED"
