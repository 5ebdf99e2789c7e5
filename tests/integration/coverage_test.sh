#!/usr/bin/env bash
# Every way into a file, on every file system that can be mounted here: docs/coverage.md, made anew or held against.
# coverage_test.sh [--write] [--crowd-seconds N]
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
  echo "skip: needs root (fanotify, mount)"
  exit 77
fi
if ! unshare --mount --pid --fork true 2>/dev/null; then
  echo "skip: no namespaces can be made here"
  exit 77
fi
export PICKET_BIN=${PICKET_BIN:-build/bin}
exec unshare --mount --pid --fork --kill-child python3 -W ignore::ResourceWarning tests/integration/coverage/coverage.py "$@"
