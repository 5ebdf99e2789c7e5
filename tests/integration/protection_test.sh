#!/usr/bin/env bash
# The protection tests against the release build's programs (./dev test runs them after the build).
# usage: protection_test.sh [--list | PART…]; without a PART, all of them
set -euo pipefail
cd "$(dirname "$0")/../.."
parts=(protection faults hostile_engine fuse quarantine old_kernel host profile exclusion persistence expiry)
if [ "${1:-}" = --list ]; then
  printf '%s\n' "${parts[@]}"
  exit
fi
if [ "$(id -u)" != 0 ]; then
  echo "skip: needs root (fanotify, mount)"
  exit 77
fi
export PICKET_BIN=${PICKET_BIN:-build/bin}
[ $# -eq 0 ] || parts=("$@")
for part in "${parts[@]}"; do
  python3 -W ignore::ResourceWarning "tests/integration/${part}_test.py"
done
