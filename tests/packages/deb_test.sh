#!/usr/bin/env bash
# The .deb in a throw-away host: install, reinstall, upgrade under way, remove, purge.
set -u
cd "$(dirname "$0")" || exit 1
. ../lab/lab.sh
. ../lab/assert.sh

deb=${PICKET_DEB:-$(find ../../build/dist -name 'picket_*.deb' 2>/dev/null | head -n 1)}
[ -f "$deb" ] || skip "there is no package to try: ./dev package makes it"
top=$LAB_CHECKOUT
. ../../packaging/stage.sh
kind=deb
# shellcheck source=tests/packages/contents.sh
. ../packages/contents.sh

dpkg_in_host() { in_host env DEBIAN_FRONTEND=noninteractive dpkg "$@"; }

scratch=$(mktemp -d)
with_host deb
trap 'lab_down "$HOST"; rm -rf -- "${scratch:?}"' EXIT
check_code 1 "the host has no Picket yet" in_host dpkg-query -W picket
lab_push "$HOST" "$deb" /root/picket.deb
traces_before=$(picket_traces "$HOST")

check "it installs" dpkg_in_host -i /root/picket.deb
check "every program and file is there with its mode, owned by root" host_has_rows program file policy packed manual bash zsh
check "every folder is there with its mode, owned by root" host_has_rows folder
check_equal "the engine's user has no home and no shell" "$(in_host getent passwd picket-engine | cut -d: -f6,7)" /nonexistent:/usr/sbin/nologin
check_code 3 "a fresh install starts nothing" active
check "but it will start at boot" in_host systemctl is-enabled picket.target
check "dpkg finds every file as it was packed" dpkg_in_host --verify picket
check "its folder for sockets is there" in_host test -d /run/picket

before=$(in_host sh -c 'getent passwd picket-engine; ls -lR /etc/picket /var/lib/picket')
check "it installs again over itself" dpkg_in_host -i /root/picket.deb
check_equal "and changes nothing by that" "$(in_host sh -c 'getent passwd picket-engine; ls -lR /etc/picket /var/lib/picket')" "$before"
check_code 3 "nor starts anything" active

check "the service starts" in_host systemctl start picket.target
check "and runs" wait_until 60 active
pid=$(main_pid picketd.service)
check "an upgrade of a running one succeeds" dpkg_in_host -i /root/picket.deb
check "and it runs afterwards" wait_until 60 active
check "as a new process of the new package" test "$(main_pid picketd.service)" != "$pid"
pid=$(main_pid picketd.service)
in_host sh -c 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d'
check "an upgrade where policy-rc.d forbids restarts succeeds" dpkg_in_host -i /root/picket.deb
check_equal "and restarts nothing" "$(main_pid picketd.service)" "$pid"
in_host rm /usr/sbin/policy-rc.d

in_host sh -c 'echo {} >/etc/picket/onboarding.json; echo {} >/etc/picket/managed.d/50-ansible.json; echo x >/var/lib/picket/state.db
  mkdir -p /var/lib/picket/definitions/generations/1; echo x >/var/lib/picket/definitions/generations/1/a.ndb
  ln -sfn generations/1 /var/lib/picket/definitions/current'
check "it can be removed while it runs" dpkg_in_host -r picket
check_equal "and nothing of it runs any more" "$(in_host sh -c 'ps -e -o comm= | grep picket')" ""
check_code 2 "no program is left" in_host sh -c 'ls /usr/bin/picket /usr/sbin/picketd /usr/libexec/picket'
check "what it knew is kept" in_host ls /etc/picket/onboarding.json /var/lib/picket/state.db /var/lib/picket/definitions/current/a.ndb
check_equal "the engine's tmpfs is not mounted any more" "$(in_host grep -c /run/picket/ /proc/self/mountinfo)" 0

check "a removed one installs again" dpkg_in_host -i /root/picket.deb
check "and will start at boot" in_host systemctl is-enabled picket.target

# What is not ours, and links that lead elsewhere, must come through a purge untouched.
in_host sh -c 'mkdir /root/elsewhere; echo x >/root/elsewhere/state.db; echo x >/root/elsewhere/a.json; echo x >/var/lib/picket/not-ours
  rm -rf /var/lib/picket/quarantine; ln -s /root/elsewhere /var/lib/picket/quarantine; ln -s /root/elsewhere/a.json /etc/picket/managed.d/60-link.json'
check "it can be purged" dpkg_in_host -P picket
check_equal "a purge follows no link" "$(in_host ls -A /root/elsewhere | xargs)" "a.json state.db"
check "and leaves what is not ours" in_host test -e /var/lib/picket/not-ours
check_code 2 "the engine's user is gone" in_host getent passwd picket-engine
in_host rm -f /var/lib/picket/not-ours /var/lib/picket/quarantine /etc/picket/managed.d/60-link.json
in_host rmdir /var/lib/picket /etc/picket/managed.d /etc/picket

# Nor is what somebody has mounted in a folder of ours.
check "it installs, and something is mounted in its quarantine" in_host sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /root/picket.deb
  mount -t tmpfs foreign /var/lib/picket/quarantine && echo x >/var/lib/picket/quarantine/1.data'
check_code 22 "then picket-installer purges nothing" in_host picket-installer uninstall --purge
check_contains "and says why" "$OUTPUT" "a file system is mounted on /var/lib/picket/quarantine"
check_equal "it is still installed" "$(in_host dpkg-query -W -f '${db:Status-Status}' picket)" installed
check_code 0 "dpkg purges the rest" dpkg_in_host -P picket
check_contains "and says what stays" "$OUTPUT" "a file system is mounted on /var/lib/picket/quarantine: that stays"
check_equal "whole" "$(in_host ls -A /var/lib/picket/quarantine)" 1.data
in_host sh -c 'umount /var/lib/picket/quarantine; rmdir /var/lib/picket/quarantine /var/lib/picket'

check "it installs, and all that it knows lies on a file system of its own" in_host sh -c 'mkdir /var/lib/picket && mount -t tmpfs state /var/lib/picket
  DEBIAN_FRONTEND=noninteractive dpkg -i /root/picket.deb && echo x >/var/lib/picket/state.db && echo x >/var/lib/picket/mine'
check_code 0 "which picket-installer purges" in_host picket-installer uninstall --purge
check_equal "but for what is not its own" "$(in_host ls -A /var/lib/picket)" mine
in_host sh -c 'umount /var/lib/picket; rmdir /var/lib/picket'

check "it installs once more" dpkg_in_host -i /root/picket.deb
in_host sh -c 'systemctl start picket.target; echo {} >/etc/picket/onboarding.json; echo x >/var/log/picket/picketd.log
  mkdir -p /var/lib/picket/definitions/generations/1; echo x >/var/lib/picket/definitions/generations/1/a.ndb
  echo x >/var/lib/picket/quarantine/1.data; echo x >/var/lib/picket/install/receipt.json'
check "it can be purged while it runs" dpkg_in_host -P picket
check_traces "a purge leaves nothing behind" "$traces_before" "$(picket_traces "$HOST")"
check_equal "and dpkg has nothing to complain about" "$(dpkg_in_host --audit)" ""
exit "$ASSERT_FAILED"
