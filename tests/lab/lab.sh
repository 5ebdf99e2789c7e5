#!/usr/bin/env bash
# Throw-away systemd hosts on this machine, for tests and for `./dev demo`. Sourced, or run: see lab_usage.
#
# A host is a systemd-nspawn container over an overlay: this machine's own `/` below, a tmpfs above. It has its own
# mounts, processes, network (loopback only) and cgroup. All its mounts live in a mount namespace that ends with it, so
# nothing stays behind on the machine, however it ends.
#
# Three rules keep the machine itself safe from what is tried in a host:
#   - a host is given no bind mount: a fanotify file-system mark on one would cover the machine's file system.
#     lab_up checks this and takes a host down that shares a file system with the machine.
#   - while a host is up, nothing that it looks at is changed below `/`: build first. What changes all the time (the
#     checkout, homes, temporary folders, caches) is hidden from it.
#   - commands run in a host as a unit of its own service manager, inside its system call filter. nsenter would be
#     outside it and answer differently.

LAB_STATE=${PICKET_LAB_STATE:-/run/picket-lab}
LAB_DIRECTORY=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_CHECKOUT=$(cd "$LAB_DIRECTORY/../.." && pwd)
LAB_BOOT_SECONDS=60

lab_say() { printf 'lab: %s\n' "$*" >&2; }
lab_fail() {
  lab_say "$*"
  return 1
}

# One line for each thing that keeps this machine from booting a host; none when it can.
lab_missing() {
  [ "$(id -u)" = 0 ] || echo "root: hosts are booted by root only (try sudo)"
  local tool
  for tool in systemd-nspawn systemd-run nsenter unshare setsid python3; do
    command -v "$tool" >/dev/null 2>&1 || echo "$tool: not installed (./dev setup installs it)"
  done
  grep -qw overlay /proc/filesystems || modprobe -q overlay 2>/dev/null || echo "overlay: this kernel has no overlay file system"
  [ -x /lib/systemd/systemd ] || echo "systemd: /lib/systemd/systemd is not there to boot (./dev setup installs it)"
  [ "$(id -u)" != 0 ] || lab_probe
}

lab_probe() {
  unshare --mount true 2>/dev/null || echo "namespaces: unshare(CLONE_NEWNS) is refused here (an unprivileged container?)"
  python3 "$LAB_DIRECTORY/fanotify_probe.py" usable 2>/dev/null ||
    echo "fanotify: permission events cannot be used here (kernel without CONFIG_FANOTIFY_ACCESS_PERMISSIONS, or no CAP_SYS_ADMIN)"
  lab_cgroup_roots | while read -r root; do
    if mkdir -p "$root/picket-lab-probe.$$" 2>/dev/null; then
      rmdir "$root/picket-lab-probe.$$"
    else
      echo "cgroup: $root is not writable"
    fi
  done
  [ -n "$(lab_cgroup_roots)" ] || echo "cgroup: neither cgroup2 nor the name=systemd hierarchy is mounted"
}

# Where a host's own cgroup is made: cgroup2, and systemd's named hierarchy where there still is one. Without one of its
# own, several hosts would share one and kill each other's processes.
lab_cgroup_roots() {
  awk '{ for (i = 7; i <= NF; ++i) if ($i == "-") break
         if ($(i + 1) == "cgroup2" || ($(i + 1) == "cgroup" && $(i + 3) ~ /(^|,)name=systemd(,|$)/)) print $5 }' /proc/self/mountinfo | sort -u
}

lab_start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# Is the host up? Its pid alone does not say so: numbers are used again.
lab_running() {
  local state=$LAB_STATE/$1 pid
  pid=$(cat "$state/pid" 2>/dev/null) && [ -n "$pid" ] && [ -d "/proc/$pid" ] &&
    [ "$(lab_start_time "$pid")" = "$(cat "$state/pid.start" 2>/dev/null)" ]
}

lab_leader() {
  local nspawn leader
  lab_running "$1" || return 1
  nspawn=$(lab_first_child "$(cat "$LAB_STATE/$1/pid")") && leader=$(lab_first_child "$nspawn") && echo "$leader"
}

lab_first_child() {
  local child=
  read -r child _ 2>/dev/null <"/proc/$1/task/$1/children" # its line has no end, which read calls a failure
  [ -n "$child" ] && echo "$child"
}

# lab_up NAME [kept]: boots a host and waits until its service manager is done. One that is not `kept` is taken down by
# the next lab_up or `lab.sh clean` when the process that made it is gone.
lab_up() {
  local name=$1 kept=${2:-} state=$LAB_STATE/$1 pid missing
  [[ $name =~ ^[a-z][a-z0-9-]{0,40}$ ]] || lab_fail "'$name' is no host name: a-z, 0-9 and -" || return
  missing=$(lab_missing)
  [ -z "$missing" ] || lab_fail "a host cannot be booted here: $missing" || return
  ! lab_running "$name" || lab_fail "host $name is up already (./dev lab down $name)" || return
  lab_clean stale
  mkdir -p "$state"
  [ -n "$kept" ] && : >"$state/kept"
  printf '%s %s\n' "$$" "$(lab_start_time $$)" >"$state/owner"
  setsid bash "$LAB_DIRECTORY/boot.sh" "$name" "$LAB_CHECKOUT" </dev/null >"$state/console.log" 2>&1 &
  pid=$!
  disown
  lab_start_time "$pid" >"$state/pid.start"
  echo "$pid" >"$state/pid"
  if ! lab_await_boot "$name" || ! lab_shares_nothing "$name"; then
    tail -n 20 "$state/console.log" >&2
    lab_inotify_left || lab_say "root has hardly an inotify instance left: fewer hosts, PICKET_LAB_LIGHT=yes, or a higher sysctl fs.inotify.max_user_instances ($(cat /proc/sys/fs/inotify/max_user_instances))"
    lab_down "$name"
    return 1
  fi
}

# Without as many as a host takes it ends while it boots, and says nothing.
lab_inotify_left() {
  python3 -c 'import ctypes, sys; libc = ctypes.CDLL(None); sys.exit(min(libc.inotify_init() for _ in range(6)) < 0)'
}

lab_await_boot() {
  local name=$1 leader deadline=$((SECONDS + LAB_BOOT_SECONDS))
  until leader=$(lab_leader "$name") && [ -S "/proc/$leader/root/run/systemd/private" ]; do
    lab_running "$name" || lab_fail "host $name ended while it booted" || return
    [ $SECONDS -lt $deadline ] || lab_fail "host $name did not boot in $LAB_BOOT_SECONDS s" || return
    sleep 0.05
  done
  # "degraded" is good enough: a unit of the machine may not like a container. What a test needs, it asserts.
  timeout $LAB_BOOT_SECONDS nsenter -t "$leader" -m -u -i -p -n -C -- systemctl is-system-running --wait >/dev/null 2>&1
  [ $? -ne 124 ] || lab_fail "host $name was still starting units after $LAB_BOOT_SECONDS s"
}

# A mark on a file system that host and machine share would stop the machine with the host.
lab_shares_nothing() {
  local shared
  shared=$(python3 "$LAB_DIRECTORY/shared_mounts.py" "$(lab_leader "$1")") ||
    lab_fail "host $1 shares file systems with this machine: $shared"
}

# lab_run NAME [-u USER] [-e KEY=VALUE]… COMMAND…: as a unit of the host; its output, input and exit code are ours.
lab_run() {
  local name=$1 leader options=()
  shift
  while getopts ":u:e:" option; do
    case $option in
      u) options+=(--uid="$OPTARG") ;;
      e) options+=(--setenv="$OPTARG") ;;
      *) lab_fail "lab_run: unknown option -$OPTARG" || return 2 ;;
    esac
  done
  shift $((OPTIND - 1))
  OPTIND=1
  leader=$(lab_leader "$name") || lab_fail "host $name is not up" || return 125
  set -- "${@//\$/\$\$}" # a service manager puts variables into the commands it runs
  nsenter -t "$leader" -m -u -i -p -n -C -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    systemd-run --quiet --wait --pipe --collect --setenv=LANG=C.UTF-8 --setenv=HOME=/root \
    --setenv=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    --working-directory=/ "${options[@]}" -- "$@"
}

# lab_push NAME SOURCE DESTINATION: a copy, made inside the host.
lab_push() {
  local mode
  mode=$(stat -c %a "$2") || return
  lab_run "$1" sh -c 'cat >"$0.part" && chmod "$1" "$0.part" && mv -f "$0.part" "$0"' "$3" "$mode" <"$2"
}

# There is nothing to save in a host, and a frozen one could not shut down in order: its processes are killed.
lab_down() {
  local name=$1 state=$LAB_STATE/$1 pid
  if lab_running "$name"; then
    pid=$(cat "$state/pid")
    # Before its host is made, the process is not yet in the cgroup.
    lab_kill_members "$name"
    lab_await_end "$pid" 5 || kill -KILL "$pid" 2>/dev/null
    lab_await_end "$pid" 10 || lab_fail "host $name (pid $pid) does not end" || return
  fi
  lab_kill_members "$name"
  lab_cgroup_roots | while read -r root; do
    [ ! -d "$root/picket-lab-$name" ] || lab_remove_cgroup "$root/picket-lab-$name" || lab_say "$root/picket-lab-$name stays"
  done || true
  [ ! -d "$state" ] || rm -f "$state"/{pid,pid.start,owner,kept,console.log}
  [ ! -d "$state/fs" ] || rmdir "$state/fs"
  [ ! -d "$state" ] || rmdir "$state"
}

# Whoever is in the cgroup that this host was given belongs to it, also after its nspawn was killed.
lab_kill_members() {
  lab_cgroup_roots | while read -r root; do
    [ ! -d "$root/picket-lab-$1" ] ||
      find "$root/picket-lab-$1" -name cgroup.procs -exec cat {} + 2>/dev/null
  done | sort -un | while read -r member; do
    kill -KILL "$member" 2>/dev/null
  done || true # who has ended by itself meanwhile is no failure, also under set -e
}

# A killed process leaves its cgroup a moment later.
lab_remove_cgroup() {
  local deadline=$((SECONDS + 5))
  until find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
}

lab_await_end() {
  local deadline=$((SECONDS + $2))
  while [ -d "/proc/$1" ] && ! grep -q '^State:.*zombie' "/proc/$1/status" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
}

lab_list() {
  local state
  for state in "$LAB_STATE"/*/; do
    [ -d "$state" ] || continue
    state=${state%/}
    if lab_running "${state##*/}"; then echo "${state##*/} up"; else echo "${state##*/} ended"; fi
  done
}

# lab_clean [stale]: takes down every host; with `stale`, those whose maker is gone and that nobody asked to keep.
lab_clean() {
  local which=${1:-all} name owner start
  while read -r name _; do
    if [ "$which" = stale ]; then
      read -r owner start 2>/dev/null <"$LAB_STATE/$name/owner" || owner=
      [ ! -e "$LAB_STATE/$name/kept" ] || ! lab_running "$name" || continue
      [ -z "$owner" ] || [ "$(lab_start_time "$owner")" != "$start" ] || continue
    fi
    lab_down "$name"
  done < <(lab_list)
}

lab_usage() {
  cat <<'END'
usage: lab.sh up NAME              boot a host and leave it up
       lab.sh run NAME COMMAND…    run a command in it (-u USER, -e KEY=VALUE before the command)
       lab.sh shell NAME           a root shell in it
       lab.sh push NAME FILE PATH  copy a file into it
       lab.sh down NAME | list | clean
       lab.sh missing              what keeps this machine from booting a host
END
}

lab_shell() {
  local leader
  leader=$(lab_leader "$1") || lab_fail "host $1 is not up" || return
  nsenter -t "$leader" -m -u -i -p -n -C -- env -i TERM="${TERM:-dumb}" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    systemd-run --quiet --wait --pty --collect --setenv=HOME=/root --setenv=TERM="${TERM:-dumb}" --working-directory=/root /bin/bash -l
}

lab_main() {
  local verb=${1:-help}
  [ $# -eq 0 ] || shift
  case $verb in
    up) lab_up "${1:-demo}" kept && lab_say "host ${1:-demo} is up: ./dev lab shell ${1:-demo}" ;;
    run) lab_run "$@" ;;
    shell) lab_shell "${1:-demo}" ;;
    push) lab_push "$@" ;;
    down) lab_down "${1:-demo}" ;;
    list) lab_list ;;
    clean) lab_clean ;;
    missing) lab_missing ;;
    help | -h | --help) lab_usage ;;
    *)
      lab_usage >&2
      return 2
      ;;
  esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -u
  lab_main "$@"
fi
