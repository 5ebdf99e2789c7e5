#!/usr/bin/env bash
# Two minutes of the soak (./dev soak runs thirty). The deadline is longer than the default: a test machine is busy.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
  echo "skip: needs root (fanotify, mount)"
  exit 77
fi
PICKET_BIN=${PICKET_BIN:-build/bin} exec python3 -W ignore tests/integration/soak.py 2 --deadline 5000
