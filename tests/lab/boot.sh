#!/usr/bin/env bash
# The process that is a lab host: started by lab_up, ends as systemd-nspawn. Usage: boot.sh NAME CHECKOUT
set -eu
. "$(dirname "$0")/lab.sh"
name=$1 checkout=$2 state=$LAB_STATE/$1

join_own_cgroup() {
  lab_cgroup_roots | while read -r root; do
    mkdir -p "$root/picket-lab-$name"
    echo $$ >"$root/picket-lab-$name/cgroup.procs"
  done
}

# An opaque folder in the upper layer: what the machine has there is not seen in the host.
hide() {
  local path=$fs/upper$1
  [ -d "$1" ] && [ ! -L "$1" ] || return 0
  mkdir -p "$path"
  chown --reference="$1" "$path"
  chmod --reference="$1" "$path"
  python3 -c 'import os, sys; os.setxattr(sys.argv[1], "trusted.overlay.opaque", b"y")' "$path"
}

# What is not the distribution's: the machine's top folders that not every host has or that people fill, and the checkout.
own_folders() {
  local top
  for top in /*/; do
    case $top in
      /bin/ | /boot/ | /dev/ | /etc/ | /lib*/ | /proc/ | /run/ | /sbin/ | /sys/ | /usr/ | /var/) ;;
      *) echo "${top%/}" ;;
    esac
  done
  case $checkout in
    /boot/* | /etc/* | /lib*/* | /usr/* | /var/*) echo "$checkout" ;;
  esac
}

# name_host ROOT
name_host() {
  : >"$1/etc/machine-id"
  : >"$1/etc/fstab"
  echo "$name" >"$1/etc/hostname"
  printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >"$1/etc/hosts"
}

# Of inotify instances root has 128 on a usual machine, for all hosts together. Half of what a host takes is for asking people
# for passwords and for their sessions, and each session that a login would begin takes as many again.
make_light() {
  local unit
  for unit in systemd-logind.service systemd-ask-password-console.path systemd-ask-password-wall.path; do
    ln -s /dev/null "$fs/upper/etc/systemd/system/$unit"
  done
}

fill_upper() {
  local directory
  for directory in $(own_folders) /var/tmp /var/cache /var/log /var/lib/docker /var/lib/containerd \
    /etc/systemd/system /etc/rc{0,1,2,3,4,5,6,S}.d; do
    hide "$directory"
  done
  mkdir -p "$fs/upper/etc/systemd/system-generators" "$fs/upper/var/cache/apt/archives/partial" "$fs/upper/usr/sbin"
  # Without the machine's own units in /etc/systemd/system nothing of what it runs is started, but for generators.
  local generator
  for generator in /lib/systemd/system-generators/* /usr/local/lib/systemd/system-generators/*; do
    case ${generator##*/} in
      systemd-* | '*') ;;
      *) ln -s /dev/null "$fs/upper/etc/systemd/system-generators/${generator##*/}" ;;
    esac
  done
  [ -z "${PICKET_LAB_LIGHT:-}" ] || make_light
  ln -s /lib/systemd/system/multi-user.target "$fs/upper/etc/systemd/system/default.target"
  name_host "$fs/upper"
  # An index of all manual pages after every package, from nothing, for nobody.
  if [ -e /var/lib/man-db/auto-update ]; then
    mkdir -p "$fs/upper/var/lib/man-db"
    mknod "$fs/upper/var/lib/man-db/auto-update" c 0 0
  fi
  # On images made for containers this file forbids packages to start services.
  [ ! -e /usr/sbin/policy-rc.d ] || mknod "$fs/upper/usr/sbin/policy-rc.d" c 0 0
}

# systemd-nspawn binds two things of the machine into every container: its os-release and a folder below
# /run/systemd. Here both come from a tmpfs that belongs to this host alone.
detach_from_machine() {
  mkdir -p /run/systemd
  mount -t tmpfs -o mode=755 tmpfs /run/systemd
  cp /usr/lib/os-release /run/systemd/os-release
  mount --bind /run/systemd/os-release /usr/lib/os-release
}

boot() {
  fs=$state/fs
  mkdir -p "$fs"
  mount -t tmpfs -o mode=755,size=4G tmpfs "$fs"
  mkdir "$fs/upper" "$fs/work" "$fs/root"
  if [ -n "${PICKET_LAB_BASE:-}" ]; then
    tar -C "$fs/root" --numeric-owner -xzf "$PICKET_LAB_BASE"
    name_host "$fs/root"
  else
    fill_upper
    # index and nfs_export: fanotify's file-handle marks need them.
    mount -t overlay -o "index=on,nfs_export=on,lowerdir=/,upperdir=$fs/upper,workdir=$fs/work" overlay "$fs/root"
  fi
  detach_from_machine
  cd /
  local code=133 # what nspawn ends with where its host reboots
  while [ $code -eq 133 ]; do
    code=0
    run_host || code=$?
  done
  exit $code
}

run_host() {
  # nspawn's own filter answers fanotify_init with EPERM.
  systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --directory="$fs/root" \
    --machine="$name" --hostname="$name" --resolv-conf=off --timezone=off --link-journal=no --console=pipe \
    --kill-signal=SIGRTMIN+3 --capability=CAP_SYS_ADMIN,CAP_DAC_READ_SEARCH,CAP_IPC_LOCK \
    --system-call-filter='fanotify_init fanotify_mark open_by_handle_at name_to_handle_at @memlock landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp'
}

if [ "${3:-}" = inside ]; then
  boot
else
  join_own_cgroup
  exec unshare --mount --propagation private bash "$0" "$name" "$checkout" inside
fi
