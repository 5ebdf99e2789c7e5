#!/usr/bin/env bash
# The one scan of a new host; two minutes, in which it mostly waits.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
  echo "skip: needs root (fanotify, mount)"
  exit 77
fi
PICKET_BIN=${PICKET_BIN:-build/bin} exec python3 -W ignore::ResourceWarning tests/integration/warm_up_test.py
