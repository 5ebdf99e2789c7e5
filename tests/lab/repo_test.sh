#!/usr/bin/env bash
# The signed repositories, served by nginx over TLS: apt, dnf and zypper install from them by themselves and through
# picket-installer; what is not right is refused, each with its reason, and leaves nothing. The keys are rotated.
# The network is the test's own: a web server and one host, which is Debian first and a stand-in for RHEL then (el.sh).
set -u
cd "$(dirname "$0")" || exit 1
. ./lab.sh
. ./assert.sh
. ./network.sh
. ./el.sh

needs_hosts
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
needs nginx openssl gpg apt-ftparchive createrepo_c rpmsign dnf curl
lab_own_network "$PWD/repo_test.sh" "$@" || exit 1
. ../../packaging/release_keys.sh
# shellcheck source=packaging/repo/keys.sh
. ../../packaging/repo/keys.sh
with_bundle_host repo
clean_up() {
  [ ! -f "$scratch/nginx.pid" ] || kill "$(cat "$scratch/nginx.pid")" 2>/dev/null
  lab_down "$HOST"
  rm -rf -- "${scratch:?}"
}
trap clean_up EXIT
url=https://packages.lab/picket

# --- the publisher: its keys are the release keys that the installer was built with, and archive keys of this test

mkdir -p "$scratch"/{keys,other-keys,packages,www} && chmod 700 "$scratch"/{keys,other-keys}
cp "$PICKET_RELEASE_KEYS"/release-* "$scratch/keys/"
cp "$dist"/*.deb "$dist"/*.rpm "$scratch/packages/"
# publish KEYS OUTPUT [OPTION]
publish() {
  local keys=$1 output=$2
  shift 2
  PICKET_RELEASE_KEYS=$scratch/$keys PROGRAMS=${PICKET_BIN:-$LAB_CHECKOUT/build/bin} \
    ../../packaging/repo/publish "$@" "$scratch/packages" "$scratch/$output"
}
# serve NAME: what the web server shows from now on
serve() { ln -sfn "$scratch/$1" "$scratch/www/picket.new" && mv -Tf "$scratch/www/picket.new" "$scratch/www/picket"; }
copy() { cp -a "$scratch/$1" "$scratch/$2"; }
flip() { sed -i "$2" "$1"; }

check "one command publishes" publish keys good
secret_files() { find "$scratch/keys" -type f \( -name '*.key' -o -path '*/private-keys-v1.d/*' \) -printf '%m\n' | sort -u; }
check_equal "its secret keys are their owner's alone" "$(secret_files)" 600
check_equal "and not in the repository" "$(grep -rl 'PRIVATE KEY' "$scratch/good")" ""
copy good old
PICKET_REPO_VALID_DAYS=0 check "an index that is not renewed" publish keys expired
cp "$scratch"/good/picket-archive-keyring.* "$scratch/expired/"
check "somebody else's repository" publish other-keys foreign
copy foreign wrong-key
cp "$scratch"/good/picket-archive-keyring.* "$scratch/wrong-key/"
check "a ring is a repository of its own" publish keys good --ring insiders
check "whose name is looked at" test "$(publish keys good --ring ../up 2>&1)" = "publish: --ring ../up: 1 to 32 of a-z, 0-9 and -, a letter first"
copy good tampered-index
flip "$scratch/tampered-index/apt/dists/stable/InRelease" 's/^Origin: Picket/Origin: Picked/'
flip "$scratch/tampered-index/apt/dists/stable/Release" 's/^Origin: Picket/Origin: Picked/'
flip "$scratch/tampered-index/rpm/repodata/repomd.xml" 's/<revision>1/<revision>2/'
copy good tampered-package
printf x >>"$(echo "$scratch"/tampered-package/apt/pool/main/p/picket/*.deb)"
printf x >>"$(echo "$scratch"/tampered-package/rpm/packages/*.rpm)"
copy good replayed-signature
cp "$PWD/assert.sh" "$scratch/replayed-signature/picket-archive-keyring.gpg"
# The key that signed is revoked in the keyring that the release key signs.
revoke() {
  (
    ARCHIVE_KEYS=$scratch/revoking current=$(cat "$scratch/keys/archive/current") next=$(cat "$scratch/keys/archive/next")
    cp -a "$scratch/keys/archive" "$ARCHIVE_KEYS" &&
      sed 's/^:--/--/' "$ARCHIVE_KEYS/openpgp-revocs.d/$current.rev" | archive_gpg --import &&
      archive_gpg --yes --export --output "$1/picket-archive-keyring.gpg" "$current" "$next" &&
      archive_gpg --yes --export --armor --output "$1/picket-archive-keyring.asc" "$current" "$next" &&
      "${PICKET_BIN:-$LAB_CHECKOUT/build/bin}/picket-bundle" sign "$1/picket-archive-keyring.gpg" --key-directory "$scratch/keys" \
        --comment "picket-archive-keyring valid-until=$(date -u -d '+1 day' +%Y-%m-%dT%H:%M:%SZ)"
    status=$?
    archive_end
    exit "$status"
  )
}
copy good revoked-key
check "a keyring that says that the key is revoked" revoke "$scratch/revoked-key"
check "the index is renewed" publish keys good

# --- the web server, with a CA of its own that the host trusts

make_server() {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$scratch/ca.key" -out "$scratch/ca.crt" -days 2 -subj "/CN=lab CA" &&
    openssl req -newkey rsa:2048 -nodes -keyout "$scratch/web.key" -out "$scratch/web.csr" -subj "/CN=packages.lab" &&
    printf 'subjectAltName=DNS:packages.lab\n' >"$scratch/web.ext" &&
    openssl x509 -req -in "$scratch/web.csr" -CA "$scratch/ca.crt" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 \
      -extfile "$scratch/web.ext" -out "$scratch/web.crt" &&
    cat >"$scratch/nginx.conf" <<CONF && nginx -q -c "$scratch/nginx.conf" -p "$scratch" -e "$scratch/error.log"
user root;
worker_processes 1;
pid $scratch/nginx.pid;
error_log $scratch/error.log;
events {}
http {
  access_log off;
  client_body_temp_path $scratch/t1; proxy_temp_path $scratch/t2; fastcgi_temp_path $scratch/t3; uwsgi_temp_path $scratch/t4; scgi_temp_path $scratch/t5;
  server { listen $LAB_CONTROLLER_ADDRESS:443 ssl; server_name packages.lab; root $scratch/www;
    ssl_certificate $scratch/web.crt; ssl_certificate_key $scratch/web.key; }
}
CONF
}
check "nginx serves" make_server
lab_connect "$HOST" 11
in_host sh -c "echo '$LAB_CONTROLLER_ADDRESS packages.lab' >>/etc/hosts; rm -f /root/picket-*.tar.gz
  rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*; rm -f /etc/apt/apt.conf.d/*proxy*"

installer() { in_host env -C /root /root/picket-installer "$@"; }
install() { installer install --onboarding /root/acme.zip --from-repo "$url" "$@"; }
# what an installation leaves: files of ours, packages, keys
left() {
  in_host sh -c 'ls -d /etc/picket /var/lib/picket /usr/bin/picket /usr/share/keyrings/picket* /etc/apt/sources.list.d/picket* /etc/yum.repos.d/picket* /etc/zypp/repos.d/picket* \
    /etc/pki/rpm-gpg/RPM-GPG-KEY-picket* /run/picket-installer.[A-Za-z]* 2>/dev/null | grep -v lock; dpkg-query -W -f "\${db:Status-Status}\n" picket 2>/dev/null; rpm -qa "gpg-pubkey*" "picket*" 2>/dev/null'
}
# refused CODE REPOSITORY REASON [OPTION…]
refused() {
  local code=$1 name=$2 reason=$3
  shift 3
  serve "$name"
  check_code "$code" "$KIND: $name is refused" install "$@"
  check_contains "$KIND: because $reason" "$OUTPUT" "$reason"
  check_equal "$KIND: and nothing is left" "$(left)" "$before"
}
# refusals REASON: what is said of a revoked key
refusals() {
  refused 28 tampered-index "its index was changed after it was signed"
  refused 28 expired "its index has expired"
  refused 28 wrong-key "signed by a key that is not trusted"
  refused 28 revoked-key "$1"
  refused 28 foreign "picket-archive-keyring.gpg of the repository"
  refused 28 replayed-signature "picket-archive-keyring.gpg of the repository"
  refused 28 good "holds no key" --repo-key 0123456789ABCDEF0123456789ABCDEF01234567
  refused 28 tampered-package "a file is not the one that the signed index names"
  refused 21 nothing-there "the repository $url"
  check_code 2 "$KIND: an address with a password is refused" installer install --onboarding /root/acme.zip --from-repo "https://joe:secret@packages.lab/picket"
}

# --- apt

KIND=apt
before=$(left)
refused 21 good "the server's certificate is not trusted"
lab_push "$HOST" "$scratch/ca.crt" /usr/local/share/ca-certificates/lab.crt
check "the host trusts the server" in_host update-ca-certificates
refusals "a key that was revoked"
serve good
check_code 0 "apt: a dry run" install --dry-run --output json
check_contains "apt: says what it would do" "$OUTPUT" "set up the repository $url"
check_equal "apt: and changes nothing" "$(left)" "$before"
check_code 0 "apt: install succeeds" install --output json
check_contains "apt: by apt" "$OUTPUT" '"detail":"apt '
check "apt: it protects" in_host picket-installer selftest
check_code 0 "apt: a second time" install --output json
check_contains "apt: changes nothing" "$OUTPUT" '"changed":false'
check_code 0 "apt: a host goes to another ring" install --ring insiders --output json
check_contains "apt: which its source names" "$(in_host cat /etc/apt/sources.list.d/picket.sources)" "URIs: $url/insiders/apt"
check_code 0 "apt: and back" install
copy good swapped
rm -r "$scratch/swapped/apt" "$scratch/swapped/rpm" && cp -a "$scratch"/good/insiders/{apt,rpm} "$scratch/swapped/"
serve swapped
check_code 28 "apt: another ring's index is refused" install
check_contains "apt: because of that" "$OUTPUT" "the one of the ring insiders"
serve good
check_code 2 "apt: a ring's name is looked at" install --ring ../up
check_equal "apt: the keyring is not everybody's to write" "$(in_host stat -c %a:%u /usr/share/keyrings/picket-archive-keyring.gpg)" 644:0
check_equal "apt: no other keyring trusts it" "$(in_host sh -c 'grep -l "Picket archive" /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d/* 2>/dev/null')" ""
serve old
check_code 28 "apt: a mirror that is behind is refused" install
check_contains "apt: because of its date" "$OUTPUT" "a mirror that is behind"

# upgraded BACK: from 0.1.0, from where the host was installed from, and back
upgraded() {
  check_code 0 "$KIND: upgrade takes the newer version of the repository" installer upgrade --output json
  check_contains "$KIND: and says what the way back is" "$OUTPUT" "the package of 0.1.0 is $1"
  check_equal "$KIND: the new version runs" "$(in_host picket health --field app_version)" 0.2.0
  check_code 0 "$KIND: a second time" installer upgrade --output json
  check_contains "$KIND: changes nothing" "$OUTPUT" '"changed":false'
  check_code 0 "$KIND: rollback goes back" in_host picket-installer rollback
  check_equal "$KIND: the version before runs" "$(in_host picket health --field app_version)" 0.1.0
}
not_upgraded() {
  local kept package
  kept=$(in_host find /var/lib/picket/install)
  copy good tampered-upgrade
  for package in "$scratch"/tampered-upgrade/apt/pool/main/p/picket/*.deb "$scratch"/tampered-upgrade/rpm/packages/*.rpm; do
    printf x >>"$package"
  done
  serve tampered-upgrade
  check_code 28 "$KIND: an upgrade to a changed package is refused" installer upgrade
  check_contains "$KIND: because of that" "$OUTPUT" "$1"
  check_equal "$KIND: and nothing is kept of it" "$(in_host find /var/lib/picket/install)" "$kept"
  serve good
  rm -rf -- "${scratch:?}/tampered-upgrade"
}
# Where an index holds both, the newer one was installed.
other_versions() {
  check_code 12 "$KIND: an older version of the repository is refused" installer upgrade --version 0.1.0
  check_code 0 "$KIND: unless it is asked for" installer upgrade --version 0.1.0 --allow-downgrade
  check_equal "$KIND: it runs" "$(in_host picket health --field app_version)" 0.1.0
  check_code 21 "$KIND: a version that the repository does not have" installer upgrade --version 0.1.7
  check_contains "$KIND: is named" "$OUTPUT" "does not hold that version"
  not_upgraded "not signed by a key of the repository, or was changed"
  upgraded kept
}
for kind in "" --rpm; do
  # shellcheck disable=SC2086 # no option, or one
  check "version 0.2.0 is made ${kind:-as .deb}" ../packages/other_version.sh $kind 0.2.0 "$scratch/0.2.0" </dev/null
done
mv "$scratch"/0.2.0/*.deb "$scratch"/0.2.0/*.rpm "$scratch/packages/" && rm -rf -- "${scratch:?}/0.2.0"
check "a newer version is published" publish keys good
serve good
not_upgraded "a file is not the one that the signed index names"
upgraded "in the repository, and will be kept"

# The keys: the next one signs, as was announced.
newer() {
  local tree=$scratch/tree
  dpkg-deb -R "$scratch"/packages/picket_0.1.0_*.deb "$tree" && sed -i 's/^Version: .*/Version: 9.0.0/' "$tree/DEBIAN/control" &&
    dpkg-deb --root-owner-group -Zgzip -b "$tree" "$scratch/packages/picket_9.0.0_$(dpkg --print-architecture).deb" >/dev/null
}
check "a newer version is made" newer
check "its publisher rotates the key" publish keys good --rotate-key
serve good
apt_version() { in_host dpkg-query -W -f '${Version}' picket; }
check "apt: a host that has the keys of before" in_host apt-get -qq -o APT::Update::Error-Mode=any update
check "apt: upgrades" in_host env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 install --only-upgrade picket
check_equal "apt: to the newer version" "$(apt_version)" 9.0.0
check "apt: which protects" wait_until 60 in_host picket-installer selftest
check_code 0 "apt: another install" install --output json
check_contains "apt: brings the keys that come" "$OUTPUT" '"id":"repository.configure"'
check "the key is rotated once more" publish keys good --rotate-key
check "apt: and the host goes along" in_host apt-get -qq -o APT::Update::Error-Mode=any update
check_code 0 "apt: purge" in_host picket-installer uninstall --purge
check_equal "apt: leaves nothing" "$(left)" "$before"

# --- for hosts that picket-installer does not visit

in_host rm -rf /var/lib/apt/lists
check_code 0 "the files for other hosts are written" installer export repo /root/exported --from-repo "$url"
check "apt: they make the package known" in_host sh -ec 'cp -r /root/exported/apt/. / && apt-get -qq update && apt-get -qq -y -o Dpkg::Use-Pty=0 install picket'
check_equal "apt: and apt installs it" "$(apt_version)" 9.0.0
in_host sh -c 'dpkg --purge picket; rm /etc/apt/sources.list.d/picket.sources /usr/share/keyrings/picket*' >/dev/null 2>&1

# --- dnf

rpm=$(echo "$scratch"/packages/picket-0.1.0-*.rpm)
KIND=dnf
check "the host can be made to look like RHEL's family" el_make
libraries=$(el_libraries "$scratch" "$rpm") || exit 1
lab_push "$HOST" "$libraries" /root/lab-libraries.rpm
in_host sh -c 'rpm -i --nodeps /root/lab-libraries.rpm; rm -rf /etc/yum.repos.d/* /var/cache/dnf'
before=$(left)
refusals "or is signed by a key that is not trusted"
serve good
check_code 0 "dnf: install succeeds" install --output json
check_contains "dnf: by dnf" "$OUTPUT" '"detail":"dnf '
check "dnf: it protects" in_host picket-installer selftest
check_contains "dnf: the package is signed" "$(in_host rpm -q --qf '%{RSAHEADER:pgpsig}' picket 2>/dev/null)" "RSA/SHA256"
check_code 0 "dnf: a second time" install --output json
check_contains "dnf: changes nothing" "$OUTPUT" '"changed":false'
other_versions
copy good behind
check "the index is renewed" publish keys good
check_code 0 "dnf: the host has seen the new index" in_host dnf -q -y makecache --refresh --repo picket
serve behind
check_code 28 "dnf: a mirror that is behind is refused" install
check_contains "dnf: because of its date" "$OUTPUT" "a mirror that is behind"
check "the key is rotated" publish keys good --rotate-key
serve good
check "dnf: the host goes along" in_host dnf -q -y makecache --refresh --repo picket
check_code 0 "dnf: another install" install --output json
check_contains "dnf: brings the keys that come" "$OUTPUT" '"id":"repository.trust"'
check_code 0 "dnf: purge" in_host picket-installer uninstall --purge
check_equal "dnf: leaves nothing" "$(left)" "$before"
refused 28 swapped "the one of the ring insiders"

# --- zypper, on the same host with SLES's name

if ! command -v zypper >/dev/null; then
  echo "part of the test left out: zypper is not installed"
  exit "$ASSERT_FAILED"
fi
KIND=zypper
in_host sh -c 'printf "NAME=\"SLES\"\nVERSION=\"15-SP5\"\nVERSION_ID=\"15.5\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP5\"\nID=\"sles\"\nID_LIKE=\"suse\"\n" >/etc/os-release
  rm -rf /etc/redhat-release /etc/zypp/repos.d /var/cache/zypp'
before=$(left)
refused 28 tampered-index "its index was changed after it was signed"
refused 28 expired "its index has expired"
refused 28 wrong-key "signed by a key that is not trusted"
refused 28 tampered-package "a file is not the one that the signed index names"
serve good
check_code 0 "zypper: install succeeds" install --output json
check_contains "zypper: by zypper" "$OUTPUT" '"detail":"zypper '
check "zypper: it protects" in_host picket-installer selftest
check_code 0 "zypper: a second time" install --output json
check_contains "zypper: changes nothing" "$OUTPUT" '"changed":false'
other_versions
check_code 0 "zypper: purge" in_host picket-installer uninstall --purge
check_equal "zypper: leaves nothing" "$(left)" "$before"
exit "$ASSERT_FAILED"
