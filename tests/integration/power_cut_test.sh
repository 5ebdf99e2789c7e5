#!/usr/bin/env bash
# Power cuts on a real file system, with the release build's programs and its package (./dev test runs it after the build).
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
  echo "skip: needs root (mount, fanotify)"
  exit 77
fi
if ! command -v mkfs.xfs >/dev/null || ! { grep -qw xfs /proc/filesystems || modprobe -q xfs 2>/dev/null; }; then
  echo "skip: no xfs here, whose files can be copied in one moment"
  exit 77
fi
export PICKET_BIN=${PICKET_BIN:-build/bin}
PICKET_DEB=${PICKET_DEB:-$(find build/dist -name 'picket_*.deb' 2>/dev/null | head -n 1)}
export PICKET_DEB
exec python3 -W ignore::ResourceWarning tests/integration/power_cut_test.py "$@"
