#!/usr/bin/env bash
# ./dev bench realtime: what real-time protection costs, beside clamonacc where its package can be fetched. About ten
# minutes; PICKET_BENCH_ROUNDS=1 for a look. PICKET_BENCH_DOCUMENT=1 writes docs/performance.md too.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "skip: needs root (fanotify, mount)"; exit 0; }
cmake --build --preset release --target open_latency >/dev/null
PICKET_BIN=build/bin PICKET_OPEN_LATENCY=build/release/bin/open_latency \
  exec /usr/bin/python3 bench/realtime.py build/bench/realtime.json ${PICKET_BENCH_DOCUMENT:+--document}
