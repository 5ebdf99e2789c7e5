#!/usr/bin/env bash
# Each script of the .deb and of the .rpm made to fail in each phase, in a throw-away host: the package manager's state is
# then one of three (installed, broken, absent), picket-installer says which, what protected goes on where it can, and one
# install makes it whole.
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh
# shellcheck source=tests/lab/el.sh
. ./el.sh

deb=${PICKET_DEB:-$(find "${PICKET_DIST:-../../build/dist}" -name 'picket_*.deb' 2>/dev/null | head -n 1)}
[ -f "$deb" ] || skip "there is no package to try: ./dev package makes it"
with_bundle_host scriptlets
lab_push "$HOST" "$deb" /root/good.deb

# variant SCRIPT PHASE: the package whose SCRIPT fails when dpkg calls it with PHASE; at /root/SCRIPT-PHASE.deb
variant() {
  local tree=$scratch/tree script=$scratch/tree/DEBIAN/$1
  rm -rf "${tree:?}"
  dpkg-deb -R "$deb" "$tree" || return 1
  [ -f "$script" ] || printf '#!/bin/sh\n' >"$script"
  sed -i "1a case \"\$1\" in $2) echo 'made to fail' >\&2; exit 1 ;; esac" "$script"
  chmod 755 "$script"
  dpkg-deb --root-owner-group -Zgzip -z1 -b "$tree" "$scratch/$1-$2.deb" >/dev/null && lab_push "$HOST" "$scratch/$1-$2.deb" "/root/$1-$2.deb"
}

dpkg_in_host() { in_host env DEBIAN_FRONTEND=noninteractive dpkg "$@"; }
state() { in_host dpkg-query -W -f '${db:Status-Status}' picket 2>/dev/null || echo not-installed; }
installer() { in_host /root/picket-installer "$@"; }
install() { installer install --onboarding /root/acme.zip; }
protects() { wait_until 60 in_host picket-installer selftest; }

# fails WHAT STATE CODE COMMAND…: dpkg fails, its state is STATE, and a check of picket-installer ends with CODE
fails() {
  local what=$1 wanted=$2 code=$3
  shift 3
  check_code 1 "$what: dpkg fails" "$@"
  check_equal "$what: dpkg's state" "$(state)" "$wanted"
  check_code "$code" "$what: what picket-installer says of it" installer check
}

mended() {
  check_code 0 "$1: an install makes it whole" install
  check "$1: and it protects" protects
  check_equal "$1: dpkg has nothing to complain about" "$(dpkg_in_host --audit)" ""
}

for row in "preinst install" "preinst upgrade" "postinst configure" "prerm remove" "postrm remove" "postrm purge"; do
  # shellcheck disable=SC2086 # two words
  check "a package whose script fails: $row" variant $row
done

# --- onto a host without it
fails "preinst, fresh" not-installed 0 dpkg_in_host -i /root/preinst-install.deb
fails "postinst, fresh" half-configured 15 dpkg_in_host -i /root/postinst-configure.deb
check_code 3 "postinst, fresh: nothing runs that would seem to protect" in_host systemctl is-active picketd.service
mended "postinst, fresh"

# --- over one that protects
fails "preinst, upgrade" installed 0 dpkg_in_host -i /root/preinst-upgrade.deb
check "preinst, upgrade: the former one goes on" in_host picket-installer selftest
fails "postinst, upgrade" half-configured 15 dpkg_in_host -i /root/postinst-configure.deb
check "postinst, upgrade: what runs goes on" in_host systemctl is-active picketd.service
mended "postinst, upgrade"

# --- out again
check "a package that will not go" dpkg_in_host -i /root/prerm-remove.deb
fails "prerm, removal" installed 0 dpkg_in_host -r picket
check "prerm, removal: it goes on" protects
check_code 22 "prerm, removal: picket-installer says that it is not gone" installer uninstall
mended "prerm, removal"

check "a package that is not gone when it goes" dpkg_in_host -i /root/postrm-remove.deb
fails "postrm, removal" half-installed 15 dpkg_in_host -r picket
mended "postrm, removal"

check "a package that leaves something" dpkg_in_host -i /root/postrm-purge.deb
check "it goes" dpkg_in_host -r picket
# By hand, so that the receipt of picket-installer still says that it is there.
fails "postrm, purge" config-files 15 dpkg_in_host -P picket
mended "postrm, purge"
check_code 0 "and in the end all of it goes" installer uninstall --purge
check_equal "dpkg knows nothing of it" "$(state)" not-installed

# --- the .rpm, on the same host made to look like RHEL's family (a stand-in)

missing=$(el_missing)
[ -z "$missing" ] || {
  echo "part of the test left out: $missing"
  exit "$ASSERT_FAILED"
}
# A checkout whose scripts of the .rpm can be changed; packed fast.
mkdir "$scratch/top" && ln -s "$LAB_CHECKOUT"/* "$scratch/top/" && rm "$scratch/top/packaging" &&
  cp -r "$LAB_CHECKOUT/packaging" "$scratch/top/" && sed -i 's/^_binary_payload .*/_binary_payload w1.gzdio/' "$scratch/top/packaging/rpm/macros" || exit 1

# rpm_variant SCRIPT [VERSION]: the package whose SCRIPT fails; at /root/SCRIPT.rpm
rpm_variant() {
  local script=$scratch/top/packaging/rpm/$1 rpm
  sed -i "1a echo 'made to fail' >\&2; exit 1" "$script"
  rpm=$(PICKET_VERSION=${2:-} SOURCE_DATE_EPOCH=1 "$scratch/top/packaging/rpm/build.sh" "${PICKET_BIN:-$LAB_CHECKOUT/build/bin}" "$scratch") &&
    cp "$LAB_CHECKOUT/packaging/rpm/$1" "$script" && lab_push "$HOST" "$rpm" "/root/$1.rpm"
}
rpm_in_host() { in_host rpm "$@"; }
versions() { in_host rpm -qa --qf '%{VERSION} ' picket 2>/dev/null; }

# rpm_fails WHAT RPMCODE VERSIONS CODE RPM…: rpm ends with RPMCODE (of some scripts it only warns), knows those versions
# then, and a check of picket-installer ends with CODE
rpm_fails() {
  local what=$1 rpm_code=$2 wanted=$3 code=$4
  shift 4
  check_code "$rpm_code" "$what: how rpm ends" rpm_in_host "$@"
  check_contains "$what: because of the script" "$OUTPUT" "scriptlet failed"
  check_equal "$what: what rpm knows" "$(versions)" "$wanted"
  check_code "$code" "$what: what picket-installer says of it" installer check
}

rpm_mended() {
  check_code 0 "$1: an install makes it whole" install
  check "$1: and it protects" protects
  check_equal "$1: rpm knows it once" "$(versions)" "0.1.0 "
  check_equal "$1: and finds every file as it was packed" "$(rpm_in_host -V --nomtime picket 2>/dev/null)" ""
}

good=$(find "$dist" -name 'picket-*.rpm' | head -n 1)
libraries=$(el_libraries "$scratch" "$good") || exit 1
check "the host can be made to look like RHEL's family" el_make
lab_push "$HOST" "$good" /root/good.rpm
lab_push "$HOST" "$libraries" /root/lab-libraries.rpm
rpm_in_host -i /root/lab-libraries.rpm 2>/dev/null
for row in pre post postun "preun 0.0.9"; do
  # shellcheck disable=SC2086 # a word, or two
  check "an .rpm whose script fails: $row" rpm_variant $row
done

rpm_fails "rpm, pre, fresh" 1 "" 0 -i /root/pre.rpm
rpm_fails "rpm, post, fresh" 0 "0.1.0 " 0 -i /root/post.rpm
check_code 3 "rpm, post, fresh: nothing runs that would seem to protect" in_host systemctl is-active picketd.service
rpm_mended "rpm, post, fresh"

rpm_fails "rpm, pre, upgrade" 1 "0.1.0 " 0 -U --replacepkgs /root/pre.rpm
check "rpm, pre, upgrade: the former one goes on" in_host picket-installer selftest
rpm_fails "rpm, post, upgrade" 0 "0.1.0 " 0 -U --replacepkgs /root/post.rpm
check "rpm, post, upgrade: what runs goes on" in_host picket-installer selftest

check "rpm: a package that leaves something" rpm_in_host -U --replacepkgs /root/postun.rpm
# By hand, so that the receipt of picket-installer still says that it is there.
rpm_fails "rpm, postun, removal" 0 "" 15 -e picket
rpm_mended "rpm, postun, removal"

check "rpm: a package that will not go" rpm_in_host -U --oldpackage /root/preun.rpm
rpm_fails "rpm, preun, removal" 1 "0.0.9 " 0 -e picket
check_code 22 "rpm, preun, removal: picket-installer says that it is not gone" installer uninstall
check "rpm, preun, removal: and it goes on" protects
# rpm puts the new one beside it.
rpm_fails "rpm, preun, upgrade" 1 "0.0.9 0.1.0 " 15 -U /root/good.rpm
rpm_mended "rpm, preun, upgrade"
check "rpm: the one that will not go, once more" rpm_in_host -U --oldpackage /root/preun.rpm
check_code 0 "rpm, preun, upgrade by picket-installer: it takes it out of the way" installer upgrade
check_equal "rpm, preun, upgrade by picket-installer: rpm knows it once" "$(versions)" "0.1.0 "

check_code 0 "rpm: and in the end all of it goes" installer uninstall --purge
check_equal "rpm knows nothing of it" "$(versions)" ""
exit "$ASSERT_FAILED"
