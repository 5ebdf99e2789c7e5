#!/usr/bin/env bash
# Everything that can be tested on this machine, as `./dev test [--portable]` runs it. A part that cannot run here is
# skipped with the reason. One that fails is run once more, alone: failing twice makes the whole fail, failing once is
# told at the end as not steady. The others still run. Logs: build/test-logs.
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

# part NAME COMMAND…: 0 is passed, 77 is skipped, the rest is failed. The last line of a skipped one says why.
part() {
  local name=$1 start=$SECONDS
  shift
  "$@" >"$(log_of "$name")" 2>&1 </dev/null
  report "$name" $? $((SECONDS - start))
}

# twice NAME COMMAND…: like part; what failed gets a second chance.
twice() {
  local name=$1 start=$SECONDS status
  shift
  "$@" >"$(log_of "$name")" 2>&1 </dev/null
  status=$?
  [ $status -eq 0 ] || [ $status -eq 77 ] || { again "$name" $status "$@"; status=$?; }
  report "$name" $status $((SECONDS - start))
}

# again NAME STATUS COMMAND…: the second run, after one that ended with the status
again() {
  local name=$1 log
  log=$(log_of "$name")
  printf '%-34s          failed (%d), and is run again\n' "$name" "$2"
  mv "$log" "${log%.log}.first.log"
  "${@:3}" >"$log" 2>&1 </dev/null || return
  unsteady+=("$name")
}

# twice_beside NAME COMMAND…: goes on beside the parts that follow; `finish_beside` waits for it. For the one that is
# longest and mostly waits.
twice_beside() {
  beside=("$@")
  {
    "${@:2}" >"$(log_of "$1")" 2>&1 </dev/null
    echo "$? $SECONDS" >"$(log_of "$1").status"
  } &
  beside_process=$! beside_start=$SECONDS
}

finish_beside() {
  local status=1 end=$SECONDS name=${beside[0]:-}
  [ -n "$name" ] || return 0
  wait "$beside_process"
  read -r status end <"$(log_of "$name").status"
  rm -f "$(log_of "$name").status"
  [ "$status" -eq 0 ] || [ "$status" -eq 77 ] || {
    again "$name" "$status" "${beside[@]:1}"
    status=$? end=$SECONDS
  }
  report "$name" "$status" $((end - beside_start))
}

report() {
  local name=$1 status=$2 seconds=$3 log result
  log=$(log_of "$name")
  case $status in
    0) result=passed ;;
    77) result="skipped: $(tail -n 1 "$log" | sed 's/^skip: //')" ;;
    *) result="FAILED ($status), $log" failed=1 ;;
  esac
  [ ! -f "${log%.log}.first.log" ] || result="$result at the second try"
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
    found_in "$(log_of "$name" | sed 's/log$/first.log/')" "$lines"
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

slow=tests/integration/installer_test.sh
# With --portable only: minutes of waiting, and what the soak finds depends on what the dice throw.
long=(tests/integration/soak_test.sh tests/integration/warm_up_test.sh tests/integration/definitions_schedule_test.sh)
part "build, with sanitizers" ./dev build dev && has_sanitizers=yes
part "release build, package, bundle" ./dev package --distribution && has_package=yes
# Beside the unit tests, which look at no clock; hosts that are booted want the machine to themselves.
[ "${has_package:-}" != yes ] || twice_beside "${slow#tests/}" "$slow"
if [ "${has_sanitizers:-}" = yes ]; then
  twice "unit" label unit
  twice "unit, as an ordinary user" as_ordinary_user
  twice "fuzz corpora" label fuzz-replay
fi
finish_beside
[ "${has_sanitizers:-}" != yes ] || twice "root" root_label
if [ "${has_package:-}" = yes ]; then
  for script in tests/packages/*_test.sh tests/lab/*_test.sh tests/integration/*_test.sh; do
    [ "$script" = "$slow" ] || [[ " ${long[*]} " == *" $script "* ]] || twice "${script#tests/}" "$script"
  done
  if [ "$asked_for_portable" = yes ]; then
    for script in "${long[@]}"; do twice "${script#tests/}" "$script"; done
  fi
fi

# The proofs of the portable build, where they are asked for or what it is linked with is there already.
portable_package() (
  [ "$asked_for_portable" = yes ] || packaging/portable/build.sh --needed 2>/dev/null ||
    skip "what the portable build is linked with is not here yet (about 15 minutes once): ./dev test --portable"
  ./dev package
)
if part "portable build, package, bundle" portable_package; then
  for script in tests/portable/*_test.sh; do
    # Two more builds of everything.
    [ "$asked_for_portable" = yes ] || [ "$script" != tests/portable/reproducible_test.sh ] || continue
    twice "${script#tests/}" "$script"
  done
  twice "portable: protection_test.sh" tests/integration/protection_test.sh
fi

printf '\nsummary\n'
printf '  %s\n' "${rows[@]}"
what_failed
[ $failed = 0 ] && echo "all that can run here passed in $SECONDS s" || echo "FAILED"
exit $failed
