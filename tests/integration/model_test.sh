#!/usr/bin/env bash
# The gate's protocol as spin checks it (tests/model), and a real gate's doings held to the same rules.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
  echo "skip: spin or gcc is not installed"
  exit 77
fi
mkdir -p build
folder=$(mktemp -d build/model.XXXXXX)
trap 'rm -rf -- "${folder:?}"' EXIT
if ! tests/model/check.sh "$PWD/$folder"; then
  tail -n 30 "$folder"/*.log
  exit 1
fi
if [ "$(id -u)" != 0 ] || [ ! -x build/bin/picketd ] || ! command -v strace >/dev/null; then
  echo "part of the test left out: a real gate's trace needs root, strace and a build (./dev build)"
  exit 0
fi
python3 tests/model/replay.py "$PWD/$folder"
