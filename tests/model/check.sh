#!/usr/bin/env bash
# The gate's protocol, checked by spin: gate.pml is right, and each BUG_… in it is found. check.sh FOLDER (for what is built)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1

# verify NAME PAN-OPTIONS C-OPTIONS MODEL-OPTIONS…: runs the verifier, its output in NAME.log; true where nothing is wrong
verify() {
  local name=$1 pan=$2 compile=$3
  shift 3
  mkdir -p "$folder/$name"
  (
    cd "$folder/$name"
    cp "$here/rules.pml" .
    spin -a "$@" "$here/gate.pml" >spin.log
    # shellcheck disable=SC2086 # options are words
    gcc -O2 -w $compile -o pan pan.c
    # shellcheck disable=SC2086
    ./pan $pan
  ) >"$folder/$name.log" 2>&1 || return 1
  grep -q 'errors: 0' "$folder/$name.log" && ! grep -q 'search not completed\|max search depth too small' "$folder/$name.log"
}

fault() {
  echo "FAIL $1: $folder/$2.log"
  grep -E 'errors|assertion|pan:|depth|memory|error' "$folder/$2.log" | head -n 10
  failed=1
}

failed=0
safety='-DSAFETY -DCOLLAPSE -DMEMLIM=2048'
if verify right '-E -m200000' "$safety"; then
  echo "ok   no answer too many, too late, or for another; nobody left waiting: $(sed -n 's/^ *\([0-9.e+]*\) states, stored$/\1/p' "$folder/right.log") states"
else
  fault "the model itself" right
fi
if verify ends '-a -f -E -m200000' '-DCOLLAPSE -DMEMLIM=2048 -DNFAIR=3' -DLIVENESS -DOPENERS=2 -DWORKERS=1; then
  echo "ok   every open ends"
else
  fault "an open that never ends" ends
fi
for bug in SECOND_ANSWER CLOSE_FIRST FORGOTTEN INHERITED NO_GUARD; do
  if verify "bug_$bug" '-E -m200000' "$safety" "-DBUG_$bug"; then
    fault "spin does not find BUG_$bug" "bug_$bug"
  elif grep -qE 'assertion violated' "$folder/bug_$bug.log"; then
    echo "ok   BUG_$bug is found: $(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' "$folder/bug_$bug.log")"
  else
    fault "BUG_$bug ends otherwise" "bug_$bug"
  fi
done
exit $failed
