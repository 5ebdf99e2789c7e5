#!/usr/bin/env bash
# The gate's protocol as spin checks it: tests/model. It needs no build.
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
