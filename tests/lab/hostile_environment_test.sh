#!/usr/bin/env bash
# An installer that root starts in an attacker's environment, or on a host with read-only and noexec mounts: it does what
# it always does or refuses with a code and a fix, files have their modes, and nothing of the attacker's runs.
set -u
cd "$(dirname "$0")" || exit 1
. ./lab.sh
. ./assert.sh
# shellcheck source=packaging/stage.sh
. ../../packaging/stage.sh
# shellcheck disable=SC2034 # contents.sh and stage.sh read them
kind=deb top=$LAB_CHECKOUT
# shellcheck source=tests/packages/contents.sh
. ../packages/contents.sh

with_bundle_host hostile
install() { in_host /root/picket-installer install --onboarding /root/acme.zip "$@"; }
tree() {
  in_host sh -c 'find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /root -o -path /var/log -o -path /var/lib/systemd -o -path /var/tmp -o -path /srv/trap -o -path /var/cache \) -prune -o -print' | sort
}

# --- the trap: every command under the attacker's PATH, a library, an OpenSSL module, start files of interpreters

make_trap() {
  printf '#include <stdio.h>\n#include <fcntl.h>\n#include <unistd.h>
__attribute__((constructor)) static void caught(void) {
  char name[64] = {0};
  int self = open("/proc/self/comm", O_RDONLY), log = open("/srv/trap/" WHERE, O_WRONLY | O_CREAT | O_APPEND, 0666);
  ssize_t got = read(self, name, sizeof name);
  if (got > 0 && write(log, name, (size_t)got) < 0) return;
  close(self);
  close(log);
}\n' >"$scratch/trap.c"
  cc -shared -fPIC -DWHERE='"loaded"' -o "$scratch/loaded.so" "$scratch/trap.c" &&
    cc -shared -fPIC -DWHERE='"ran"' -o "$scratch/module.so" "$scratch/trap.c" || return
  in_host sh -c 'mkdir -p /srv/trap/bin /srv/trap/lib /srv/trap/python /srv/trap/perl /srv/trap/tmp /srv/trap/root
    printf "#!/bin/dash\necho \"\$0 \$*\" >>/srv/trap/ran\nexit 0\n" >/srv/trap/bin/.any && chmod 755 /srv/trap/bin/.any
    for file in /usr/bin/* /usr/sbin/*; do ln -sf .any "/srv/trap/bin/${file##*/}"; done
    echo "open(\"/srv/trap/ran\", \"a\").write(\"python\\n\")" >/srv/trap/python/sitecustomize.py
    echo "package trap; open(my \$f, \">>\", \"/srv/trap/ran\"); print \$f \"perl\\n\"; 1;" >/srv/trap/perl/trap.pm
    printf "openssl_conf = start\n[start]\nproviders = list\n[list]\ntrap = trap\n[trap]\nmodule = /srv/trap/lib/module.so\nactivate = 1\n" >/srv/trap/openssl.cnf
    chown -R nobody /srv/trap' || return
  lab_push "$HOST" "$scratch/loaded.so" /srv/trap/lib/loaded.so && lab_push "$HOST" "$scratch/module.so" /srv/trap/lib/module.so &&
    lab_push "$HOST" hostile_environment.py /root/hostile_environment.py
}
hostile() { in_host /usr/bin/python3 -I /root/hostile_environment.py /srv/trap "$@"; }
ran() { in_host sh -c 'cat /srv/trap/ran 2>/dev/null'; }
# trap_works: a shell that is started that way is caught
trap_works() { hostile open /bin/bash -c 'id' >/dev/null 2>&1; [ -n "$(ran)" ] && in_host sh -c 'rm -f /srv/trap/ran /srv/trap/loaded'; }

check "the trap is set" make_trap
check "and catches whoever minds the environment" trap_works
before=$(tree)
check_code 0 "a check, with an attacker's environment, umask 077, and limits that leave no room" hostile open /root/picket-installer check
check_code 0 "install, with standard input and outputs closed as well" \
  hostile closed /root/picket-installer install --onboarding /root/acme.zip --log-file /root/install.log
check "its log is whole, and nothing else is in it" in_host sh -c '! grep -vE "^[0-9T:.-]+Z" /root/install.log && tail -n 1 /root/install.log | grep -q success'
check "every program and file has its mode, for root" host_has_rows program file policy packed manual bash zsh
check "and every folder" host_has_rows folder
check "so has what identifies the host" in_host sh -c '[ "$(stat -c "%a %U" /etc/picket/onboarding.json /etc/picket/enrolment.token | sort -u)" = "600 root" ]'
check_code 0 "it protects" in_host picket selftest
check_code 0 "a second install succeeds there too" hostile open /root/picket-installer install --onboarding /root/acme.zip --output json
check_contains "and changes nothing" "$OUTPUT" '"changed":false'
check_code 0 "picket answers there" hostile open /usr/bin/picket health
check_code 0 "and makes its archive for support" hostile closed /usr/bin/picket diagnostic create --path /root
check "which is root's alone" in_host sh -c '[ "$(stat -c %a:%u /root/picket-diagnostic-*.tar.gz)" = 600:0 ]'
check_code 0 "purge" hostile closed /usr/sbin/picket-installer uninstall --purge
check_equal "leaves the host as it was" "$(diff <(printf '%s\n' "$before") <(tree))" ""
check_equal "nothing of the attacker's ran in all that" "$(ran)" ""
# A loader obeys LD_PRELOAD before a program's first line: that is for who starts it (sudo drops it). Nothing inherits it.
check_equal "no program that was started inherited LD_PRELOAD" \
  "$(in_host sh -c 'sort -u /srv/trap/loaded' | grep -vx -e picket-installe -e picket | xargs)" ""

# --- mounts

remount() { in_host sh -c 'findmnt "$0" >/dev/null || mount --bind "$0" "$0"; mount -o "remount,bind,$1" "$0"' "$1" "$2"; }
check "/usr is made read-only" remount /usr ro
check_code 12 "then an install is refused" install
check_contains "with the check that failed" "$OUTPUT" "immutable_root: /usr is mounted read-only"
check_contains "and what to do" "$OUTPUT" "remount it read-write"
check_code 12 "as it is by a check" in_host /root/picket-installer check
check_equal "and nothing was changed" "$(diff <(printf '%s\n' "$before") <(tree))" ""
in_host umount -l /usr

check "/var is made noexec" remount /var noexec
check_code 12 "then dpkg could not work, and an install is refused" install
check_contains "with the check that failed" "$OUTPUT" "mount.noexec: /var/lib/dpkg is mounted noexec"
check_contains "and what to do" "$OUTPUT" "remount,exec"
check_equal "and nothing was changed" "$(diff <(printf '%s\n' "$before") <(tree))" ""
in_host umount -l /var

# Where nothing of ours is started from, noexec may stay.
for folder in /tmp /var/tmp /var/log /dev/shm /run; do check "$folder is made noexec" remount $folder noexec; done
in_host sh -c 'mkdir -p /var/lib/picket && mount -t tmpfs -o noexec,nosuid,nodev,mode=755 state /var/lib/picket'
check_code 0 "with these and its own state on noexec it installs" install
check_code 0 "and protects" in_host picket selftest
exit "$ASSERT_FAILED"
