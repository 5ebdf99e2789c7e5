#!/usr/bin/env bash
# ./dev bench protection: open() native, from the cache and cold; memory; time to the first answered event.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "skip: needs root (fanotify, mount)"; exit 0; }
cmake --build --preset release --target open_latency >/dev/null
PICKET_BIN=build/bin PICKET_OPEN_LATENCY=build/release/bin/open_latency exec python3 bench/protection.py build/bench/protection.json
