#!/usr/bin/env bash
# Everything that can be tested on this machine, as `./dev test [--portable]` runs it. A part that cannot run here is
# skipped with the reason. Two parts go on at a time, for most of them mostly wait (PICKET_TEST_JOBS: so many). One that
# fails is run once more when the others are through, alone: failing twice makes the whole fail, failing once is told at
# the end as not steady. Logs: build/test-logs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
logs=$PWD/build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
rows=()
failures=()
unsteady=()
failed=0
asked_for_portable=no
case ${1:-} in
  '') ;;
  --portable) asked_for_portable=yes ;;
  *)
    echo "usage: ./dev test [--portable]" >&2
    exit 2
    ;;
esac

log_of() { echo "$logs/${1//[^a-z0-9_]/-}.log"; }
first_log_of() { echo "$logs/${1//[^a-z0-9_]/-}.first.log"; }

# part NAME COMMAND…: 0 is passed, 77 is skipped, the rest is failed. The last line of a skipped one says why.
part() {
  local start=$SECONDS
  "${@:2}" >"$(log_of "$1")" 2>&1 </dev/null
  report "$1" $? $((SECONDS - start))
}

# queue NAME COMMAND…: a part that `run_queue` runs, beside others, and gives a second chance. Its words have no newline.
queued=()
queue() { queued+=("$(printf '%s\n' "$@")"); }

run_queue() {
  local job words name pid status begun=() jobs=() names=() again=() running=0
  set -m # each is a process group, which Ctrl-C does not reach by itself
  trap end_queue INT TERM
  for job in "${queued[@]}"; do
    [ $running -lt "${PICKET_TEST_JOBS:-2}" ] || reap
    mapfile -t words <<<"$job"
    "${words[@]:1}" >"$(log_of "${words[0]}")" 2>&1 </dev/null &
    begun[$!]=$SECONDS names[$!]=${words[0]} jobs[$!]=$job running=$((running + 1))
  done
  while [ $running -gt 0 ]; do reap; done
  trap - INT TERM
  set +m
  for job in "${again[@]}"; do
    mapfile -t words <<<"$job"
    part "${words[@]}" && unsteady+=("${words[0]}")
  done
  queued=()
}

end_queue() {
  local group
  for group in $(jobs -p); do kill -TERM -- "-$group" 2>/dev/null; done
  wait
  exit 130
}

# The next of run_queue's that ends.
reap() {
  wait -n -p pid
  status=$? name=${names[pid]} running=$((running - 1))
  case $status in
    0 | 77 | 124 | 137) # passed, skipped; what hangs once is a fault
      report "$name" $status $((SECONDS - begun[pid]))
      ;;
    *)
      printf '%-34s %5d s  failed (%d), and is run again\n' "$name" $((SECONDS - begun[pid])) $status
      mv "$(log_of "$name")" "$(first_log_of "$name")"
      again+=("${jobs[pid]}")
      ;;
  esac
}

report() {
  local name=$1 status=$2 seconds=$3 log result
  log=$(log_of "$name")
  case $status in
    0) result=passed ;;
    124 | 137) result="FAILED (it did not end), $log" failed=1 ;;
    77) result="skipped: $(tail -n 1 "$log" | sed 's/^skip: //')" ;;
    *) result="FAILED ($status), $log" failed=1 ;;
  esac
  [ ! -f "$(first_log_of "$name")" ] || result="$result at the second try"
  printf '%-34s %5d s  %s\n' "$name" "$seconds" "$result"
  rows+=("$(printf '%-34s %5d s  %s' "$name" "$seconds" "$result")")
  [ "$status" -eq 0 ] || [ "$status" -eq 77 ] || { tail -n 40 "$log" && failures+=("$name"); }
  [ "$status" -eq 0 ]
}

# What the parts found that failed, or failed once, short and at the very end: of a long run often only that is kept.
what_failed() {
  local name lines=$((16 / (${#failures[@]} + ${#unsteady[@]} + 1) + 1))
  for name in "${unsteady[@]}"; do
    printf '%s, the first time:\n' "$name"
    found_in "$(first_log_of "$name")" "$lines"
  done
  for name in "${failures[@]}"; do
    printf '%s:\n' "$name"
    found_in "$(log_of "$name")" "$lines"
  done
}
found_in() {
  local found
  found=$(grep -E -A 1 '^(FAIL|ERROR)|^(Assertion|[A-Za-z]*Error)|\*\*\*Failed|ERROR: |skipped part' "$1" | grep -v '^--$')
  { if [ -n "$found" ]; then echo "$found"; else tail -n 3 "$1"; fi; } | cut -c 1-160 | head -n "$2" | sed 's/^/  /'
}

skip() {
  echo "skip: $*"
  exit 77
}

label() { ctest --test-dir build/dev --output-on-failure --no-tests=error --timeout 900 -j2 -L "^$1\$"; }
root_label() { ([ "$(id -u)" = 0 ] || skip "needs root"; label root); }
as_ordinary_user() { ([ "$(id -u)" = 0 ] || skip "the unit tests above already ran as one"; exec python3 tests/run_as_user.py build/dev unit); }

# This one makes the packages anew, which the others use.
alone=tests/lab/readme_test.sh
protection=tests/integration/protection_test.sh
# The longest first, so that none is left to go on alone at the end.
scripts=(tests/integration/installer_test.sh tests/lab/ansible_test.sh)
for script in tests/packages/*_test.sh tests/lab/*_test.sh tests/integration/*_test.sh; do
  [[ " ${scripts[*]} $alone $protection " == *" $script "* ]] || scripts+=("$script")
done
# With --portable only: minutes of waiting, what the soak finds depends on what the dice throw; two more builds of everything.
long=(tests/integration/soak_test.sh tests/integration/warm_up_test.sh tests/integration/definitions_schedule_test.sh
  tests/portable/reproducible_test.sh)

# None is left to hang, seconds: the whole has an end, and says where.
bounded=(timeout --kill-after=60 1200)
[ "$asked_for_portable" = no ] || bounded=(timeout --kill-after=60 5400)

queue_scripts() {
  local script
  for script in "$@"; do
    [ "$asked_for_portable" = yes ] || [[ " ${long[*]} " != *" $script "* ]] || continue
    queue "${script#tests/}" "${bounded[@]}" "$script"
  done
}

# queue_protection PREFIX: each of its parts by itself, for one that fails is run again.
queue_protection() {
  local name
  for name in $($protection --list); do
    queue "$1$name" "${bounded[@]}" $protection "$name"
  done
}

part "build, with sanitizers" ./dev build dev && has_sanitizers=yes
part "release build, package, bundle" ./dev package --distribution && has_package=yes
if [ "${has_sanitizers:-}" = yes ]; then
  queue "unit" label unit
  queue "unit, as an ordinary user" as_ordinary_user
  queue "mutation" label mutation
  queue "fuzz corpora" label fuzz-replay
  queue "root" root_label
fi
if [ "${has_package:-}" = yes ]; then
  queue_protection "protection: "
  queue_scripts "${scripts[@]}"
fi
run_queue
[ "${has_package:-}" != yes ] || { queue_scripts "$alone" && run_queue; }

# The proofs of the portable build, where they are asked for or what it is linked with is there already.
portable_package() (
  [ "$asked_for_portable" = yes ] || packaging/portable/build.sh --needed 2>/dev/null ||
    skip "what the portable build is linked with is not here yet (about 15 minutes once): ./dev test --portable"
  ./dev package
)
if part "portable build, package, bundle" portable_package; then
  queue_protection "portable: "
  queue_scripts tests/portable/*_test.sh
  run_queue
fi

printf '\nsummary\n'
printf '  %s\n' "${rows[@]}"
what_failed
[ $failed = 0 ] && echo "all that can run here passed in $SECONDS s" || echo "FAILED"
exit $failed
