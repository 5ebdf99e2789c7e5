#!/usr/bin/env bash
# Definitions from a mirror on loopback, with the release build's programs (./dev test runs it after the build).
set -euo pipefail
cd "$(dirname "$0")/../.."
export PICKET_BIN=${PICKET_BIN:-build/bin}
exec python3 -W ignore::ResourceWarning tests/integration/definitions_test.py "$@"
