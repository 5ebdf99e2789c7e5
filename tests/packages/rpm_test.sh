#!/usr/bin/env bash
# The .rpm, by itself and through picket-installer, in a throw-away host that looks like RHEL's family (tests/lab/el.sh:
# a stand-in).
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh
# shellcheck source=tests/lab/el.sh
. ./el.sh
# shellcheck source=packaging/stage.sh
. ../../packaging/stage.sh
kind=rpm
# shellcheck source=tests/packages/contents.sh
. ../packages/contents.sh
# shellcheck disable=SC2034 # stage.sh reads it
top=$LAB_CHECKOUT

rpm=${PICKET_RPM:-$(find "${PICKET_DIST:-../../build/dist}" -name 'picket-*.rpm' 2>/dev/null | head -n 1)}
[ -f "$rpm" ] || skip "there is no package to try: ./dev package makes it"
missing=$(el_missing)
[ -z "$missing" ] || skip "$missing"

installer() { in_host /root/picket-installer "$@"; }
install() { installer install --onboarding /root/acme.zip "$@"; }
rpm_in_host() { in_host rpm "$@"; }

# --- what it says of itself

metadata() { rpm -qp --qf "$1" "$rpm" 2>/dev/null; }
check_equal "its payload and its digests are what rpm 4.11 reads" "$(metadata '%{PAYLOADCOMPRESSOR} %{FILEDIGESTALGO}')" "xz 8"
check_equal "it asks nothing newer of rpm" \
  "$(rpm -qp --requires "$rpm" 2>/dev/null | sed -n 's/^rpmlib(\([A-Za-z]*\)).*/\1/p' | sort -u | xargs)" \
  "CompressedFileNames FileDigests PayloadFilesHavePrefix PayloadIsXz"
check_equal "it has no build host's name" "$(metadata '%{BUILDHOST}')" picket
if command -v rpmlint >/dev/null; then
  check "rpmlint has nothing to say that packaging/rpm/rpmlint.toml does not explain" rpmlint -c "$top/packaging/rpm/rpmlint.toml" "$rpm"
fi

# --- through picket-installer

with_bundle_host rpm
check "the host can be made to look like RHEL's family" el_make
libraries=$(el_libraries "$scratch" "$rpm") || exit 1
lab_push "$HOST" "$rpm" /root/picket.rpm
lab_push "$HOST" "$libraries" /root/lab-libraries.rpm
eicar=$(el_eicar "$scratch") && lab_push "$HOST" "$eicar" /root/lab-eicar.rpm && rm -f "$eicar" || exit 1
rpm_in_host -i /root/lab-eicar.rpm 2>/dev/null
in_host rm /root/lab-eicar.rpm
before=$(picket_traces "$HOST")

check_code 0 "a check finds the host fit" installer check
check_code 21 "without the libraries nothing is installed" install
check_contains "and they are named" "$OUTPUT" "packages that it depends on are not installed"
check_traces "and nothing is left of it" "$before" "$(picket_traces "$HOST")"

if in_host sh -c 'command -v dnf createrepo_c' >/dev/null 2>&1; then
  in_host sh -c 'mkdir -p /srv/repo && cp /root/lab-libraries.rpm /srv/repo/ && createrepo_c --quiet /srv/repo
    printf "[lab]\nname=lab\nbaseurl=file:///srv/repo\nenabled=1\ngpgcheck=0\n" >/etc/yum.repos.d/lab.repo && dnf --quiet makecache' >/dev/null 2>&1
  check_code 0 "what is missing comes from dnf's cache, where it is there" install
else
  rpm_in_host -i /root/lab-libraries.rpm 2>/dev/null
  check_code 0 "install succeeds" install
fi
check_equal "rpm knows it" "$(rpm_in_host -q picket 2>/dev/null)" "$(metadata '%{NVRA}')"
check_equal "and finds every file as it was packed" "$(rpm_in_host -V --nomtime picket 2>/dev/null)" ""
check "every program and file is there with its mode, owned by root" host_has_rows program file policy packed script manual bash zsh
check "it protects" in_host picket-installer selftest
check_code 0 "a second install succeeds" install --output json
check_contains "and changes nothing" "$OUTPUT" '"changed":false'

# What an installed package brought is the definitions' fault, and stays: rpm's records say so.
refusals() { in_host sh -c 'picket event list --output json' | grep -o '"quarantine.refused"' | wc -l; }
refused() { [ "$(refusals)" -gt 0 ]; }
check_code 1 "a package's file with malware in it is denied" in_host cat /usr/share/lab-eicar/sample
check "the refusal to move it is an event" wait_until 60 refused
check_contains "that names the package" "$(in_host picket event list --output json)" "an unchanged file of the package lab-eicar"
check "and the file stays" in_host test -e /usr/share/lab-eicar/sample
in_host sh -c 'printf "%s%s" "$0" "$1" >/usr/share/lab-eicar/copy' 'X5O!P%@AP[4\PZX54(P^)7CC)7}$' 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'
check "the same content where no package has it is taken away" wait_until 60 in_host test ! -e /usr/share/lab-eicar/copy
in_host sh -c 'chmod 666 /var/lib/rpm/rpmdb.sqlite; printf "%s%s" "$0" "$1" >/usr/share/lab-eicar/copy' 'X5O!P%@AP[4\PZX54(P^)7CC)7}$' 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'
unreadable() { in_host picket event list --output json | grep -q 'records of the package manager cannot be read'; }
check "while rpm's records cannot be believed, what is below /usr stays" wait_until 60 unreadable
check "and is there" in_host test -e /usr/share/lab-eicar/copy
in_host sh -c 'chmod 644 /var/lib/rpm/rpmdb.sqlite; rm /usr/share/lab-eicar/copy'

hold_lock='import fcntl, sys, time
file = open("/var/lib/rpm/.rpm.lock", "r+")
fcntl.lockf(file, fcntl.LOCK_EX)
open("/run/lock-is-held", "w").close()
time.sleep(600)'
in_host systemd-run --quiet --unit=held-lock python3 -c "$hold_lock"
check "somebody else holds rpm's lock" wait_until 60 in_host test -e /run/lock-is-held
check_code 27 "then nothing is removed" in_host picket-installer uninstall --lock-timeout 1
check_code 27 "nor installed" install --lock-timeout 1
check_contains "and it is said who holds it" "$OUTPUT" "/var/lib/rpm/.rpm.lock"
in_host systemctl stop held-lock.service
check "it still protects" active

in_host rm /usr/bin/picket-onboarding
check_code 15 "a package that is not whole any more is found" installer check
check_code 0 "and an install mends it" install
check_equal "as rpm confirms" "$(rpm_in_host -V --nomtime picket 2>/dev/null)" ""

check_code 0 "uninstall succeeds" in_host picket-installer uninstall
check_code 1 "rpm does not know it any more" rpm_in_host -q picket
check "identity and state are kept" in_host ls /etc/picket/onboarding.json /var/lib/picket/definitions/current
check_code 0 "a reinstall needs no package" installer install
check "and protects" active
check_code 0 "purge" in_host picket-installer uninstall --purge
check_traces "leaves nothing behind" "$before" "$(picket_traces "$HOST")"
install >/dev/null 2>&1
in_host picket-installer uninstall >/dev/null 2>&1
check_code 0 "a purge after a removal" installer uninstall --purge
check_traces "leaves nothing behind either" "$before" "$(picket_traces "$HOST")"

# --- an image, with the rpm that is in it

image=/srv/image/root
if in_host sh -c "mkdir -p /srv/image && mount -t tmpfs image /srv/image && mkdir /srv/image/upper /srv/image/work $image &&
    mount -t overlay -o lowerdir=/,upperdir=/srv/image/upper,workdir=/srv/image/work image $image && mount -t tmpfs dev $image/dev &&
    mknod -m 666 $image/dev/null c 1 3"; then
  bundle=$(in_host sh -c "ls /root/picket-*.tar.gz")
  in_image() { installer "$@" --root "$image"; }
  check_code 0 "an image is prepared" in_image install --onboarding /root/acme.zip --bundle "$bundle"
  check_code 0 "its rpm knows it" in_host chroot $image rpm -q picket
  check_code 1 "the host's does not" rpm_in_host -q picket
  check_code 0 "a second time succeeds" in_image install --onboarding /root/acme.zip --bundle "$bundle" --output json
  check_contains "and changes nothing" "$OUTPUT" '"changed":false'
  check_code 0 "purge" in_image uninstall --purge
  check_equal "leaves nothing in the image" "$(in_host find $image/etc $image/var/lib $image/usr/sbin $image/usr/libexec -name '*picket*')" ""
  in_host sh -c "umount $image/dev $image /srv/image"
else
  echo "part of the test left out: no overlay on this overlay"
fi

# --- by itself

rpm_in_host -q lab-libraries >/dev/null 2>&1 || rpm_in_host -i /root/lab-libraries.rpm 2>/dev/null
in_host sh -c 'groupadd --system --gid 790 picket-engine; useradd --system --uid 789 --gid 790 --no-create-home picket-engine'
check "the package alone installs" rpm_in_host -i /root/picket.rpm
check_code 3 "and starts nothing" active
check_equal "a user that was there keeps its number" "$(in_host id -u picket-engine) $(in_host id -g picket-engine)" "789 790"
check "every folder is there with its mode, owned by root" host_has_rows folder
check "the service starts" in_host systemctl start picket.target
check "and runs" wait_until 60 active
pid=$(main_pid picketd.service)
check "an upgrade of a running one succeeds" rpm_in_host -U --replacepkgs /root/picket.rpm
check "and it runs afterwards" wait_until 60 active
check "as a new process of the new package" test "$(main_pid picketd.service)" != "$pid"

in_host sh -c 'echo {} >/etc/picket/onboarding.json; echo x >/var/lib/picket/state.db; mkdir /root/elsewhere; echo x >/root/elsewhere/1.data
  rmdir /var/lib/picket/quarantine; ln -s /root/elsewhere /var/lib/picket/quarantine; echo x >/var/lib/picket/not-ours'
check_code 1 "a purge of what is installed is refused" in_host /usr/libexec/picket/purge
check "it can be removed while it runs" rpm_in_host -e picket
check_equal "and nothing of it runs any more" "$(in_host sh -c 'ps -e -o comm= | grep picket')" ""
check "what it knew is kept" in_host ls /etc/picket/onboarding.json /var/lib/picket/state.db
check "and what a purge needs" in_host sh /var/lib/picket/purge
check_equal "a purge follows no link" "$(in_host ls -A /root/elsewhere)" "1.data"
check "and leaves what is not ours" in_host test -e /var/lib/picket/not-ours
in_host sh -c 'rm -f /var/lib/picket/not-ours /var/lib/picket/quarantine; rmdir /var/lib/picket'
check_traces "but nothing else" "$before" "$(picket_traces "$HOST")"
exit "$ASSERT_FAILED"
