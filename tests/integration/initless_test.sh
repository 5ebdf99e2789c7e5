#!/usr/bin/env bash
# A host without a service manager: inside a lab host, processes of their own with a /run of their own, where nothing
# says that systemd runs. picket-installer and picket-supervisor do all of it.
set -u
cd "$(dirname "$0")/../lab" || exit 1
# shellcheck source=tests/lab/lab.sh
. ./lab.sh
# shellcheck source=tests/lab/assert.sh
. ./assert.sh

with_bundle_host initless
lab_push "$HOST" assert.sh /root/assert.sh
lab_push "$HOST" ../integration/initless_inside.sh /root/inside.sh
# Everything in one unit: what the supervisor runs must outlive the command that started it.
in_host unshare --mount --pid --fork --mount-proc bash /root/inside.sh
