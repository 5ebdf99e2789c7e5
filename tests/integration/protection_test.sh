#!/usr/bin/env bash
# The protection tests against the release build's programs (./dev test runs it after the build).
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
  echo "skip: needs root (fanotify, mount)"
  exit 77
fi
export PICKET_BIN=${PICKET_BIN:-build/bin}
for part in protection faults hostile_engine fuse quarantine old_kernel host profile exclusion persistence expiry; do
  python3 -W ignore::ResourceWarning "tests/integration/${part}_test.py"
done
