#!/usr/bin/env bash
# The systemd units: how much each gives away, and that the gate has the host's own mounts.
set -u
cd "$(dirname "$0")" || exit 1
. ../lab/lab.sh
. ../lab/assert.sh
units=$(realpath ../../packaging/systemd)

exposure() { systemd-analyze security --offline=true --no-pager "$units/$1.service" 2>/dev/null | sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p'; }
at_most() { awk -v is="$1" -v limit="$2" 'BEGIN { exit !(is != "" && is + 0 <= limit + 0) }'; }

while read -r unit limit; do
  is=$(exposure "$unit")
  check "systemd rates $unit at $is, $limit or better" at_most "$is" "$limit"
done <<'END'
picketd 4.5
picket-engine 1.0
picket-guard 2.0
picket-remedy 4.5
picket-definitions 1.5
picket-link 2.0
END

# Whatever gives a unit mounts of its own hides the host's from it. Those of this list do.
private='ProtectSystem|ProtectHome|PrivateTmp|PrivateDevices|ProtectKernelTunables|ProtectKernelModules|ProtectKernelLogs|ProtectControlGroups|ProtectProc|ProcSubset|ReadOnlyPaths|ReadWritePaths|InaccessiblePaths|BindPaths|TemporaryFileSystem|RootDirectory|LoadCredential|LogNamespace|PrivateIPC|ProtectHostname'
for unit in picketd picket-remedy; do
  check_equal "$unit asks for no mounts of its own" "$(grep -E "^($private)=" "$units/$unit.service")" ""
  check "$unit says so where it takes a network of its own" grep -qx PrivateMounts=no "$units/$unit.service"
done

deb=${PICKET_DEB:-$(find ../../build/dist -name 'picket_*.deb' 2>/dev/null | head -n 1)}
[ "$ASSERT_FAILED" = 0 ] || exit 1
[ -f "$deb" ] || skip "the ratings hold; there is no package to try them with: ./dev package makes it"
with_host units
lab_push "$HOST" "$deb" /root/picket.deb
in_host dpkg -i /root/picket.deb >/dev/null 2>&1
in_host systemctl start picket.target

main_pid() { in_host systemctl show -p MainPID --value "$1"; }
namespace_of() { in_host readlink "/proc/$1/ns/$2"; }

check_equal "systemd understands every line of the units" "$(in_host sh -c 'systemd-analyze verify --man=no picket.target picketd.service picket-engine.service picket-guard.service picket-remedy.socket picket-definitions.service picket-definitions.socket picket-link.service picket-link.socket 2>&1 | grep -i picket')" ""
for unit in picketd picket-engine picket-guard; do
  check "$unit starts" wait_until 60 in_host systemctl is-active "$unit.service"
done
gate=$(main_pid picketd.service)
check_equal "the gate has the host's mounts" "$(namespace_of "$gate" mnt)" "$(namespace_of 1 mnt)"
check "the gate has no network" test "$(namespace_of "$gate" net)" != "$(namespace_of 1 net)"
engine=$(main_pid picket-engine.service)
check "the engine has mounts of its own" test "$(namespace_of "$engine" mnt)" != "$(namespace_of 1 mnt)"
check_equal "the engine's tmpfs is in the host's mounts and is the engine's" "$(in_host stat -f -c %T /run/picket/engine-tmp) $(in_host stat -c '%a %U' /run/picket/engine-tmp)" "tmpfs 700 picket-engine"
check_equal "the engine has no capability" "$(in_host sed -n 's/^CapBnd:\t//p' "/proc/$engine/status")" 0000000000000000
for socket in remedy definitions link; do
  check_equal "the socket of $socket is root's alone" "$(in_host stat -c '%a %U' /run/picket/$socket.sock)" "600 root"
done

comes_back_from_kill() {
  local unit=$1.service pid
  pid=$(main_pid "$unit")
  in_host kill -KILL "$pid"
  # Not the moment between the signal and systemd's notice of it, in which all looks well: another process.
  wait_until 60 in_host sh -c "systemctl is-active $unit && [ \$(systemctl show -p MainPID --value $unit) != $pid ]"
}

for unit in picketd picket-engine picket-guard; do
  check "$unit comes back when it is killed" comes_back_from_kill "$unit"
done
often=0
for _ in 1 2 3 4 5 6 7 8; do
  comes_back_from_kill picketd && often=$((often + 1))
done
check_equal "the gate comes back however often it is killed" "$often" 8

# A keeper that waits for a server that does not answer, and that nobody can end: the others start without it.
lab_push "$HOST" ../integration/fuse_server.py /root/fuse_server.py
lab_push "$HOST" ../integration/picket_world.py /root/picket_world.py
is_watched() {
  in_host picket health --output json | python3 -c 'import json, sys
sys.exit(not any(f["mount_point"] == sys.argv[1] and f["status"] == "protected" for f in json.load(sys.stdin)["data"]["filesystems"]))' "$1"
}
silent_server() { # KIND: and somebody opens its file
  in_host mkdir -p "/mnt/$1"
  in_host systemd-run -q --unit="silent-$1" python3 /root/fuse_server.py "/mnt/$1" "$1" || return 1
  wait_until 20 in_host grep -q " /mnt/$1 fuse" /proc/mounts || return 1
  wait_until 60 is_watched "/mnt/$1" || return 1
  in_host systemd-run -q --unit="opens-$1" cat "/mnt/$1/clean"
}
hangs() { [ -n "$(in_host ps -e -o stat=,comm= | sed -n "s/^D.* $1\$/&/p")" ]; }
in_host sh -c 'test -c /dev/fuse || mknod /dev/fuse c 10 229' 2>/dev/null
if in_host sh -c ': <>/dev/fuse' 2>/dev/null; then
  check "a file whose server does not answer is opened" silent_server OPEN
  check "its keeper hangs" wait_until 20 hangs picket-keeper
  check "picketd comes back when it is killed while a child of its hangs" comes_back_from_kill picketd
  before=$SECONDS
  check "picketd is started anew while a child of its hangs" in_host systemctl restart picketd.service
  check "and that does not wait for the child" test $((SECONDS - before)) -lt 9
  in_host umount -f -l /mnt/OPEN
else
  echo "no /dev/fuse here: children that hang are left out"
fi

# The target is down first, and what it takes with it after it.
in_host systemctl stop picket.target
nothing_runs() { [ -z "$(in_host sh -c 'ps -e -o comm= | grep picket')" ]; }
check "stopping the target stops everything" wait_until 60 nothing_runs
exit "$ASSERT_FAILED"
