#!/usr/bin/env bash
# ./dev bench mounts: how long after mount(2) an open is guarded, in a throw-away host: new mounts, mounts in the place of
# another, and those of an ordinary user in a namespace of their own. PICKET_BENCH_DOCUMENT=1 writes docs/performance.md too.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lab/lab.sh
. tests/lab/assert.sh
missing=$(lab_missing)
[ -z "$missing" ] || { echo "skip: no lab host: $missing"; exit 0; }
./dev package --distribution >/dev/null
with_bundle_host bench
# What is found stays where it is: taking it away is another matter.
echo '{"realTimeProtection": {"quarantine": "disabled"}}' >"$scratch/keep.json"
lab_push "$HOST" "$scratch/keep.json" /root/keep.json
lab_push "$HOST" bench/mount_then_open.py /usr/local/bin/mount_then_open
in_host /root/picket-installer install --onboarding /root/acme.zip --profile /root/keep.json >/dev/null
measure() { in_host "$@" >"$scratch/$name.json"; }
name=new measure python3 /usr/local/bin/mount_then_open /mnt/new 50
name=in_place measure python3 /usr/local/bin/mount_then_open /mnt/new 50 --in-place
name=users measure -u nobody unshare --user --map-root-user --mount sh -c \
  'mount -t tmpfs none /mnt && exec python3 /usr/local/bin/mount_then_open /mnt/new 10'
python3 bench/mounts.py "$scratch" build/bench/mounts.json ${PICKET_BENCH_DOCUMENT:+--document}
