#!/usr/bin/env bash
# What an administrator can rely on when Picket itself is the trouble, and what leaves the host for support.
set -u
cd "$(dirname "$0")" || exit 1
. ./lab.sh
. ./assert.sh

with_bundle_host rescue
check "it installs" in_host /root/picket-installer install --onboarding /root/acme.zip

# eicar_opens: exit status 0 where the test file can be opened while its writer still holds it
eicar_opens() {
  in_host python3 -c '
import os, sys
path = "/root/eicar"
writer = open(path, "wb", buffering=0)
writer.write(b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
code = os.waitstatus_to_exitcode(os.system("cat /root/eicar >/dev/null 2>&1"))
writer.close()
sys.exit(0 if code == 0 else 1)'
}
check_code 1 "the test file is denied" eicar_opens

# Under load: many cold files at once, from two processes for each processor.
in_host systemd-run --quiet --unit=load sh -c 'mkdir -p /srv/load && cd /srv/load && for i in $(seq 400); do head -c 200000 /dev/urandom >f$i; done
  for i in 1 2 3 4; do (while :; do for f in f*; do touch $f; cat $f >/dev/null; done; done) & done; wait'
sleep 2
switch_off_time() {
  in_host python3 -c '
import subprocess, time
start = time.monotonic()
subprocess.run(["picket", "config", "real-time-protection", "--value", "disabled"], check=True)
print(f"{time.monotonic() - start:.3f}")
seconds = time.monotonic() - start
raise SystemExit(0 if seconds < 1 else f"it took {seconds:.2f} s")'
}
check "under load it is switched off within a second" switch_off_time
check_code 0 "then the test file can be opened" eicar_opens
check_contains "health says so" "$(in_host picket health --output json)" '"real_time_protection_enabled":false'
check "it is switched on again" in_host picket config real-time-protection --value enabled
protected() { in_host picket health --field real_time_protection_active | grep -qx true; }
check "and protects again" wait_until 60 protected
in_host systemctl stop load.service
check_code 1 "the test file is denied again" eicar_opens

# Frozen, as by somebody who means to stop the whole of a host's services for a moment.
frozen=$(in_host sh -c 'ls /sys/fs/cgroup/system.slice/picketd.service/cgroup.freeze /sys/fs/cgroup/unified/system.slice/picketd.service/cgroup.freeze 2>/dev/null | head -n 1')
if [ -n "$frozen" ]; then
  check "a gate whose cgroup is frozen holds an open no longer than the guard waits" in_host sh -c 'echo 1 >"$0" && timeout 20 cat /etc/hostname' "$frozen"
  check "it is ended, and protects again" wait_until 60 protected
  check "an event says so" wait_until 20 in_host sh -c "picket event list --output json | grep -q gate.killed"
else
  echo "part of the test left out: there is no cgroup here that can be frozen"
fi

# The archive for support: what it must not hold is planted where it looks.
in_host sh -c 'printf "planted-token-7781\n" >/etc/picket/enrolment.token; chmod 600 /etc/picket/enrolment.token
  logger -t picketd "planted-token-7781 in a message"
  systemd-run --quiet --wait --unit=picket-remedy-note true
  mkdir -p /var/log/picket; printf "proxy http://joe:planted-hunter-2@proxy:3128/\nAuthorization: Bearer planted-bearer-3\nPASSWORD=planted-word-4\n" >/var/log/picket/supervisor.log'
check "the archive for support is made" in_host picket diagnostic create --path /root
in_host sh -c 'mkdir -p /root/unpacked && tar -xzf /root/picket-diagnostic-*.tar.gz -C /root/unpacked'
check_equal "it is root's alone" "$(in_host sh -c 'stat -c %a:%u /root/picket-diagnostic-*.tar.gz')" 600:0
check_code 1 "no secret is in it" in_host grep -r -a planted- /root/unpacked
for part in health.json events.json journal.txt units.txt check.json profile.json files/etc/os-release files/var/log/picket/supervisor.log; do
  check "$part is in it" in_host test -s "/root/unpacked/picket-diagnostic/$part"
done
check_contains "what is no secret is in it" "$(in_host cat /root/unpacked/picket-diagnostic/files/var/log/picket/supervisor.log)" '@proxy:3128'

# picket.off: the kernel's command line is the machine's own, so a file stands in its place.
in_host sh -c 'printf "%s picket.off\n" "$(cat /proc/cmdline)" >/run/cmdline && mount --bind /run/cmdline /proc/cmdline && systemctl restart picketd'
switched_off() { in_host picket health --output json | grep -q switched_off; }
check "with picket.off on the kernel's command line the gate stays off" wait_until 60 switched_off
check_code 0 "and every open succeeds" eicar_opens
in_host sh -c 'umount /proc/cmdline && systemctl restart picketd'
check "without it the host is protected again" wait_until 60 protected

# A host whose engine cannot start boots, lets root in, and says what is wrong.
in_host sh -c 'chmod 000 /usr/libexec/picket/picket-engine && rm -f /var/lib/picket/definitions/current'
in_host systemctl --no-block reboot
sleep 3
rebooted() { lab_await_boot "$HOST" && in_host systemctl is-active picketd.service; }
check "without a working engine it boots" rebooted
check_contains "root can work" "$(in_host cat /etc/hostname)" "$HOST"
check_contains "and health names the engine" "$(in_host picket health --output json)" no_engine
in_host chmod 755 /usr/libexec/picket/picket-engine
check "the installer puts it right" in_host /root/picket-installer install
check_code 1 "and the test file is denied" eicar_opens
exit "$ASSERT_FAILED"
