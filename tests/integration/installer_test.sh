#!/usr/bin/env bash
# picket-installer in a throw-away host, with the real package, bundle and onboarding package (build/dist).
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh

with_bundle_host installer
for script in installer_kills.py installer_failures.py; do
  lab_push "$HOST" "../integration/$script" "/root/$script"
done

check_code 0 "a dry run succeeds" in_host /root/picket-installer install --onboarding /root/acme.zip --dry-run
check_code 1 "and changed nothing" in_host test -e /etc/picket
check_code 0 "install succeeds" in_host /root/picket-installer install --onboarding /root/acme.zip
check_code 0 "the self-test passes" in_host picket-installer selftest
check_code 0 "a second install succeeds" in_host /root/picket-installer install --onboarding /root/acme.zip --output json
check_contains "and changes nothing" "$OUTPUT" '"changed":false'
check_code 0 "offboard takes the identity" in_host picket-installer offboard
check_code 0 "and keeps the protection" in_host systemctl is-active picketd.service
check_code 0 "onboard brings it back" in_host picket-installer onboard /root/acme.zip
check_code 0 "a gate and an engine that are stopped do not keep uninstall from working" in_host sh -c \
  'kill -STOP "$(systemctl show -p MainPID --value picket-engine.service)" "$(systemctl show -p MainPID --value picketd.service)"
   picket-installer uninstall'
check_code 0 "identity and state are kept" in_host test -e /etc/picket/onboarding.json
check_code 0 "a reinstall needs no package" in_host /root/picket-installer install
check_code 0 "prepare-image forgets the host" in_host picket-installer prepare-image
check_code 1 "its machine id is gone" in_host test -e /var/lib/picket/machine-id
check_code 0 "purge" in_host picket-installer uninstall --purge
check_code 1 "leaves no configuration" in_host test -e /etc/picket
check_code 1 "and no state" in_host test -e /var/lib/picket
# An image that is prepared without being started: an overlay over the host's own root, if it lies on none itself.
image=/srv/image/root
if in_host sh -c "mkdir -p /srv/image && mount -t tmpfs image /srv/image && mkdir /srv/image/upper /srv/image/work $image &&
    mount -t overlay -o lowerdir=/,upperdir=/srv/image/upper,workdir=/srv/image/work image $image && mount -t tmpfs dev $image/dev &&
    mknod -m 666 $image/dev/null c 1 3"; then
  image_bundle=$(in_host sh -c "ls /root/picket-*.tar.gz")
  check_code 0 "an image is prepared" in_host /root/picket-installer install --root $image --onboarding /root/acme.zip --bundle "$image_bundle"
  check_code 0 "it will start at boot" in_host test -L $image/etc/systemd/system/multi-user.target.wants/picket.target
  check_code 0 "it is onboarded" in_host test -s $image/etc/picket/onboarding.json
  check_code 1 "the host itself is not touched" in_host sh -c 'ls -d /etc/picket /var/lib/picket /usr/sbin/picketd 2>/dev/null || pgrep picketd'
  check_code 0 "a second time succeeds" in_host /root/picket-installer install --root $image --onboarding /root/acme.zip --bundle "$image_bundle" --output json
  check_contains "and changes nothing" "$OUTPUT" '"changed":false'
  check_code 0 "purge" in_host /root/picket-installer uninstall --purge --root $image
  check_equal "leaves nothing in the image" "$(in_host find $image/etc $image/var/lib $image/usr/sbin $image/usr/libexec -name '*picket*')" ""
else
  echo "part of the test left out: no overlay on this overlay"
fi
check_code 0 "each step that fails, and Ctrl-C, undoes everything" \
  in_host python3 /root/installer_failures.py /root/picket-installer /root/acme.zip
# Every write with PICKET_KILL_STRIDE=1 (twenty minutes on a small machine); every eighth otherwise.
check_code 0 "killed after its journal writes, it is made whole again" \
  in_host python3 /root/installer_kills.py /root/picket-installer /root/acme.zip "${PICKET_KILL_STRIDE:-8}"
exit "$ASSERT_FAILED"
