#!/usr/bin/env bash
# The SELinux policy and the AppArmor profile: they compile, hold what they promise, name every shipped file, and the
# package loads them where such a module runs, and nowhere else. No kernel here enforces them: what needs one is not tried.
set -u
cd "$(dirname "$0")" || exit 1
. ../lab/lab.sh
. ../lab/assert.sh
top=$LAB_CHECKOUT
scratch=$(mktemp -d)
trap 'rm -rf -- "${scratch:?}"' EXIT
PATH=$PATH:/usr/sbin:/sbin
needs checkmodule semodule_package semodule_link semodule_expand apparmor_parser

# --- SELinux

check "the policy compiles" "$top/packaging/selinux/compile.sh" "$scratch"
check "the same source gives the same bytes" sh -c 'mkdir "$1/again" && "$0" "$1/again" && cmp "$1/picket.pp" "$1/again/picket.pp"' \
  "$top/packaging/selinux/compile.sh" "$scratch"
check "every shipped file has the label it should have" /usr/bin/python3 security_contexts.py "$top"
missing_context() {
  mkdir -p "$scratch/tree/packaging/selinux" && cp "$top"/packaging/selinux/* "$scratch/tree/packaging/selinux/" &&
    sed '/picket-guard/d' "$top/packaging/selinux/picket.fc" >"$scratch/tree/packaging/selinux/picket.fc" &&
    cp "$top/packaging/contents" "$scratch/tree/packaging/" && /usr/bin/python3 security_contexts.py "$scratch/tree"
}
check_code 1 "one that has lost it is found" missing_context
check_contains "and named" "$OUTPUT" /usr/libexec/picket/picket-guard

# Assertions are looked at where modules and a distribution's policy are put together: Debian's, from its mirror.
distribution_policy() {
  local cache=${PICKET_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/picket/lab}/selinux
  if [ ! -f "$cache/done" ]; then
    rm -rf -- "${scratch:?}/debian"
    mkdir -p "$cache" "$scratch/debian"
    (cd "$scratch/debian" && apt-get -qq -o APT::Sandbox::User=root download selinux-policy-default && dpkg-deb -x selinux-policy-default_*.deb .) >/dev/null 2>&1 || return
    for module in base unconfined; do
      bunzip2 -c "$scratch/debian/usr/share/selinux/default/$module.pp.bz2" >"$cache/$module.pp" || return
    done
    : >"$cache/done"
  fi
  echo "$cache"
}
# builds MODULE.pp…: a whole policy of the distribution's and these
builds() {
  semodule_link -o "$scratch/linked" "$policy/base.pp" "$policy/unconfined.pp" "$@" >/dev/null && semodule_expand "$scratch/linked" "$scratch/policy"
}
# with_rule RULE TYPE…: the policy and one rule more, in a module called picket
with_rule() {
  local rule=$1 type
  shift
  mkdir -p "$scratch/more"
  {
    cat "$top/packaging/selinux/picket.te"
    for type in "$@"; do printf 'require { type %s; }\n' "$type"; done
    echo "$rule"
  } >"$scratch/more/picket.te"
  checkmodule -M -m -c 17 -o "$scratch/more/picket.mod" "$scratch/more/picket.te" >/dev/null &&
    semodule_package -o "$scratch/more/picket.pp" -m "$scratch/more/picket.mod" && builds "$scratch/more/picket.pp"
}
if policy=$(distribution_policy); then
  check "it fits into the distribution's policy, and every assertion of both holds" builds "$scratch/picket.pp" "$scratch/picket_observe.pp"
  check "so it does with a rule that is harmless" with_rule 'allow picket_engine_t picket_etc_t:file read;'
  while IFS='|' read -r what rule types; do
    # shellcheck disable=SC2086 # several types
    check_code 1 "it cannot be built with a rule by which the engine $what" with_rule "$rule" $types
    check_contains "because an assertion forbids that" "$OUTPUT" "neverallow violated by allow picket_engine_t"
  done <<'END'
opens a user's file|allow picket_engine_t user_home_t:file open;|user_home_t
opens a file of /etc|allow picket_engine_t etc_t:file open;|
opens what is in quarantine|allow picket_engine_t picket_quarantine_t:file open;|
writes a user's file|allow picket_engine_t user_home_t:file write;|user_home_t
makes a network connection|allow picket_engine_t self:tcp_socket create;|
starts another program|allow picket_engine_t bin_t:file { execute execute_no_trans };|
starts itself anew|allow picket_engine_t picket_engine_exec_t:file execute_no_trans;|
becomes another domain|allow picket_engine_t init_t:process transition;|
END
else
  echo "part left out: the distribution's policy could not be fetched (apt-get download selinux-policy-default)"
fi

# --- AppArmor

check "the AppArmor profile compiles" apparmor_parser --skip-kernel-load --skip-cache "$top/packaging/apparmor/picket-engine"
broken_profile() { sed 's/^  capability chown,/  capability chow,/' "$top/packaging/apparmor/picket-engine" | apparmor_parser --skip-kernel-load --skip-cache; }
check_code 1 "a faulty one does not" broken_profile

# --- the package, with tools that only write down what they are asked

deb=${PICKET_DEB:-$(find ../../build/dist -name 'picket_*.deb' 2>/dev/null | head -n 1)}
[ "$ASSERT_FAILED" = 0 ] || exit 1
[ -f "$deb" ] || skip "policy and profile hold; there is no package to try them with: ./dev package makes it"
with_host modules
trap 'lab_down "$HOST"; rm -rf -- "${scratch:?}"' EXIT
lab_push "$HOST" "$deb" /root/picket.deb
modules() { in_host /usr/libexec/picket/security-modules "$@"; }
said() { in_host sh -c 'cat /srv/said; : >/srv/said'; }
dpkg_in_host() { in_host env DEBIAN_FRONTEND=noninteractive dpkg "$@"; }

in_host sh -c 'for tool in semodule selinuxenabled restorecon apparmor_parser aa-enabled; do rm -f /sbin/$tool /usr/sbin/$tool /usr/bin/$tool; done'
check "the package installs where there is no such module" dpkg_in_host -i /root/picket.deb
check_equal "and says so" "$(modules status)" $'SELinux: not in use\nAppArmor: not in use'
dpkg_in_host -P picket >/dev/null 2>&1

in_host sh -c 'mkdir -p /etc/apparmor.d; : >/srv/said; : >/srv/modules
  cat >/usr/sbin/semodule <<"END"
#!/bin/sh
[ "$1" = -l ] && exec cat /srv/modules
echo "semodule $*" >>/srv/said
while [ $# -gt 1 ]; do
  name=$(basename "$2" .pp)
  grep -vx "$name" /srv/modules >/srv/modules.new
  [ "$1" = -r ] || echo "$name" >>/srv/modules.new
  mv /srv/modules.new /srv/modules
  shift 2
done
END
  printf "#!/bin/sh\nexit 0\n" >/usr/sbin/selinuxenabled; cp /usr/sbin/selinuxenabled /usr/bin/aa-enabled
  printf "#!/bin/sh\necho \"\${0##*/} \$*\" >>/srv/said\n" >/usr/sbin/restorecon; cp /usr/sbin/restorecon /usr/sbin/apparmor_parser
  chmod 755 /usr/sbin/semodule /usr/sbin/selinuxenabled /usr/sbin/restorecon /usr/sbin/apparmor_parser /usr/bin/aa-enabled'
check "the package installs where both run" dpkg_in_host -i /root/picket.deb
check_equal "it loads both, and relabels what is its own and nothing else" "$(said)" "\
semodule -i /usr/share/picket/selinux/picket.pp -i /usr/share/picket/selinux/picket_observe.pp
restorecon -R /usr/sbin/picketd
restorecon -R /usr/libexec/picket
restorecon -R /etc/picket
restorecon -R /var/lib/picket
restorecon -R /var/log/picket
apparmor_parser --replace /etc/apparmor.d/picket-engine"
check_equal "at first they only observe" "$(modules status)" $'SELinux: observes the engine\nAppArmor: observes the engine'
check "an administrator lets them enforce" modules enforce
check_equal "and they do" "$(modules status)" $'SELinux: confines the engine\nAppArmor: confines the engine'
said >/dev/null
check "an upgrade" dpkg_in_host -i /root/picket.deb
check_equal "leaves that as it is" "$(modules status)" $'SELinux: confines the engine\nAppArmor: confines the engine'
check_contains "and loads the new policy" "$(said)" $'semodule -i /usr/share/picket/selinux/picket.pp\n'
check "they observe again" modules observe
check_equal "when they are asked to" "$(modules status)" $'SELinux: observes the engine\nAppArmor: observes the engine'
check_code 2 "what it does not know it refuses" modules nonsense
said >/dev/null
check "the package is purged" dpkg_in_host -P picket
check_contains "and takes its policy away" "$(said)" $'semodule -r picket_observe\nsemodule -r picket\n'
check_equal "nothing of it is loaded" "$(in_host cat /srv/modules)" ""
check_equal "and no profile is left" "$(in_host find /etc/apparmor.d -name 'picket*')" ""

in_host sh -c 'printf "#!/bin/sh\n[ \"\$1\" = -l ]\n" >/usr/sbin/semodule'
check "where the policy cannot be loaded, the package installs all the same" dpkg_in_host -i /root/picket.deb
exit "$ASSERT_FAILED"
