#!/usr/bin/env bash
# The interval at which definitions are looked for; three minutes, in which it mostly waits.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
  echo "skip: needs root (fanotify, mount)"
  exit 77
fi
export PICKET_BIN=${PICKET_BIN:-build/bin} PICKET_LONG=1
exec python3 -W ignore::ResourceWarning tests/integration/definitions_test.py EndToEnd.test_the_interval_of_the_profile_counts_at_once
