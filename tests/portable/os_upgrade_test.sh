#!/usr/bin/env bash
# The shipped package through an upgrade of the operating system: a host of Debian 11 becomes one of Debian 12 between
# os-upgrade prepare and finish. Its programs, libraries, init and package database are exchanged for the new release's
# and it reboots; users and what is Picket's stay, as they do in every upgrade.
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh
# shellcheck source=tests/packages/os_upgrade.sh
. ../packages/os_upgrade.sh
needs debootstrap

unmade="the trees of Debian 11 and 12 cannot be made here"
PICKET_LAB_BASE=$(./base_tree.sh bullseye) || skip "$unmade"
next=$(./base_tree.sh bookworm) || skip "$unmade"
export PICKET_LAB_BASE
with_bundle_host os-upgrade-real
release() { in_host sh -c '. /etc/os-release; echo "$VERSION_CODENAME, systemd $(systemctl --version | sed -n "1s/^systemd \([0-9]*\).*/\1/p")"'; }
echo "      $(release)"

booted() { in_host sh -c 'cat /proc/1/stat' | cut -d' ' -f22; }
is_up_again() {
  [ -S "/proc/$(lab_leader "$HOST")/root/run/systemd/private" ] && [ "$(booted)" != "$old_boot" ] &&
    [[ $(in_host systemctl is-system-running --wait) =~ running|degraded ]]
}

swap_root() {
  lab_push "$HOST" "$next" /root/next.tar.gz
  in_host rm -r /usr/share/zoneinfo # folders there, links in the new release: tar does not put one in the other's place
  check "the new release takes the old one's place" in_host tar -C / -xzf /root/next.tar.gz --numeric-owner \
    --exclude=./proc --exclude=./sys --exclude=./dev --exclude=./run --exclude=./root --exclude=./tmp \
    --exclude='./etc/passwd*' --exclude='./etc/group*' --exclude='./etc/shadow*' --exclude='./etc/gshadow*' \
    --exclude=./etc/hostname --exclude=./etc/hosts --exclude=./etc/machine-id --exclude=./etc/fstab
  in_host rm /root/next.tar.gz
  old_boot=$(booted)
  in_host systemctl reboot --no-block >/dev/null 2>&1
  check "and boots" wait_until 90 is_up_again
  echo "      $(release)"
}
os_upgrade_rehearse swap_root
exit "$ASSERT_FAILED"
