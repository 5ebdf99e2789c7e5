#!/usr/bin/env bash
# The throw-away hosts themselves: what other tests believe about them.
set -u
cd "$(dirname "$0")" || exit 1
. ./lab.sh
. ./assert.sh

with_host lab
machine_file=$(mktemp)
trap 'lab_down "$HOST"; rm -f "$machine_file"' EXIT

check "systemd is up in the host" in_host systemctl is-active multi-user.target
check_code 7 "an exit code comes back" in_host sh -c 'exit 7'
check_equal "input and output pass through" "$(echo through | in_host cat)" through
check_equal "arguments arrive as they are" "$(in_host printf '%s|' '$HOME ${HOME}' '$HOME' '$$' 'a  b' '%n' '' '\x')" '$HOME ${HOME}|$HOME|$$|a  b|%n||\x|'
check_equal "a command runs as the user asked for" "$(lab_run "$HOST" -u nobody id -un)" nobody
check_code 1 "the checkout is not seen in the host" in_host test -e "$LAB_CHECKOUT/dev"
check_equal "no home of the machine is seen in the host" "$(in_host sh -c 'ls -A /home')" ""
check "the host has a machine id of its own" in_host sh -c 'grep -Eq "^[0-9a-f]{32}$" /etc/machine-id'
check "the host shares no file system with the machine" lab_shares_nothing "$HOST"
lab_push "$HOST" ./fanotify_probe.py /root/fanotify_probe.py
check_equal "a pushed file arrives whole" "$(in_host sha256sum /root/fanotify_probe.py | cut -c1-64)" "$(sha256sum fanotify_probe.py | cut -c1-64)"

# A permission mark on the whole file system of the host, set from a unit of the host.
denies_in_the_host() {
  local ready denied
  in_host sh -c 'echo content >/root/target; echo other >/root/other'
  # An open that waits for an answer waits for ever if nobody is there to give it: hence the bounds.
  coproc PROBE { lab_run "$HOST" python3 /root/fanotify_probe.py deny /root/target; }
  # Bash forgets the coprocess, and its descriptors, when it ends.
  local from=${PROBE[0]} to=${PROBE[1]} probe=$PROBE_PID
  read -r -t 30 ready <&"$from"
  check_equal "a permission mark can be set in the host" "${ready:-}" ready
  check_code 1 "the marked file cannot be opened" timeout 20 bash -c '. ./lab.sh; lab_run "$1" cat /root/target' - "$HOST"
  check_contains "the opener is told so" "$OUTPUT" "Operation not permitted"
  check "another file of the host can be opened" timeout 20 bash -c '. ./lab.sh; lab_run "$1" cat /root/other' - "$HOST"
  check "the machine opens its own files as before" timeout 5 cat "$machine_file"
  check_equal "no mark is on the machine's root file system" "$(marks_on_machine_root)" 0
  eval "exec $to>&-"
  read -r -t 30 denied <&"$from"
  check_equal "one open was denied" "${denied:-}" 1
  wait "$probe"
  check_equal "it can be opened when nobody denies it any more" "$(in_host cat /root/target)" content
}

marks_on_machine_root() {
  local major minor
  IFS=: read -r major minor < <(awk '$5 == "/" { print $3 }' /proc/self/mountinfo | tail -n 1)
  cat /proc/[0-9]*/fdinfo/* 2>/dev/null | grep -c "^fanotify .*sdev:$(printf '%x' $((major << 20 | minor)))\b"
}

denies_in_the_host

# A maker that is killed cannot take its host down: the next one does.
orphan=orphan-$$
bash -c '. ./lab.sh; lab_up "$1" && kill -KILL $$' - "$orphan" 2>/dev/null
check_contains "the host of a killed maker is still up" "$(lab_list)" "$orphan up"
lab_clean stale
check_equal "and is taken down by the next" "$(lab_list | grep -c "$orphan")" 0
check_contains "while a host whose maker lives stays up" "$(lab_list)" "$HOST up"

lab_down "$HOST"
check_equal "a host that is down leaves no mount" "$(grep -c picket-lab /proc/self/mountinfo)" 0
check_equal "and no cgroup" "$(find /sys/fs/cgroup -maxdepth 2 -name "picket-lab-$HOST" | wc -l)" 0
check_equal "and no state" "$(find "$LAB_STATE" -name "$HOST" | wc -l)" 0
exit "$ASSERT_FAILED"
