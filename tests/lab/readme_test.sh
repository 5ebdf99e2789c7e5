#!/usr/bin/env bash
# Every command of the README, word for word and in its order (but see `here`): "$" lines beside the checkout, "host#" lines in a
# throw-away host. `./dev test` is what runs this test and is left out.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/lab/lab.sh"
. "$top/tests/lab/assert.sh"

scratch=$(mktemp -d)
trap 'rm -rf -- "${scratch:?}"' EXIT
for name in dev build profiles; do ln -s "$top/$name" "$scratch/$name"; done
needs_hosts
. "$top/packaging/release_keys.sh" # before HOME changes: an organisation's keys are made below, release keys are there

# `scp FILE… root@host:` goes into the lab host instead.
scp_to_host() {
  local file
  [ -n "${HOST:-}" ] || {
    with_host readme
    trap 'lab_down "$HOST"; rm -rf -- "${scratch:?}"' EXIT
  }
  for file in "$@"; do
    [ "$file" = root@host: ] || lab_push "$HOST" "$file" "/root/${file##*/}" || return
  done
}

here() {
  local words
  cd "$scratch" || return
  case $1 in
    './dev test') return 0 ;;
    './dev package') HOME=$scratch bash -c './dev package --distribution' ;; # the portable one has tests of its own
    'scp '*)
      # shellcheck disable=SC2206 # its patterns are to expand
      words=($1)
      scp_to_host "${words[@]:1}"
      ;;
    *) HOME=$scratch bash -c "$1" ;;
  esac
}

held() {
  [ "$1" = 0 ] || tail -n 30 "$scratch/output"
  return "$1"
}

count=0
while IFS= read -r line; do
  count=$((count + 1))
  # A mount that a starting service makes for a moment is no lasting issue.
  [ "$line" != "host# picket health" ] || wait_until 60 lab_run "$HOST" picket health
  case $line in
    # Not in a subshell: a command may boot the host.
    '$ '*) here "${line#??}" >"$scratch/output" 2>&1 </dev/null ;;
    'host# '*) lab_run "$HOST" sh -c "cd /root; ${line#host# }" >"$scratch/output" 2>&1 </dev/null ;;
    *) echo "is neither for this machine (\$) nor for a host (host#)" >"$scratch/output" && false ;;
  esac
  check_code 0 "$line" held $?
done < <(sed -n '/^```console$/,/^```$/ { /^```/d; p }' "$top/README.md")
check "the README has commands" test "$count" -gt 10
check "the README is at most 100 lines" test "$(wc -l <"$top/README.md")" -le 100
exit "$ASSERT_FAILED"
