#!/usr/bin/env bash
# ./dev bench definitions: what definitions take, few and three million: memory, start, a change of them under load;
# beside clamd with clamonacc where its package can be fetched. About six minutes. PICKET_BENCH_DOCUMENT=1 writes
# docs/performance.md too.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "skip: needs root (fanotify, mount)"; exit 0; }
PICKET_BIN=build/bin exec /usr/bin/python3 bench/definitions.py build/bench/definitions.json ${PICKET_BENCH_DOCUMENT:+--document}
