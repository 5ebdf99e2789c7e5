#!/usr/bin/env bash
# Proxies, redirects and who reads along, in network namespaces, with the release build's programs (./dev test runs it
# after the build).
set -euo pipefail
cd "$(dirname "$0")/../.."
export PICKET_BIN=${PICKET_BIN:-build/bin}
unshare --net --mount true 2>/dev/null || {
  echo "skip: network namespaces are not to be had here"
  exit 77
}
exec unshare --net --mount python3 -W ignore::ResourceWarning tests/integration/connectivity_test.py "$@"
