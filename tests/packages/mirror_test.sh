#!/usr/bin/env bash
# Under the shipped units: definitions come from a mirror, through the sandboxes, into force.
set -u
cd "$(dirname "$0")" || exit 1
. ../lab/lab.sh
. ../lab/assert.sh

deb=${PICKET_DEB:-$(find ../../build/dist -name 'picket_*.deb' 2>/dev/null | head -n 1)}
[ -f "$deb" ] || skip "there is no package to try: ./dev package makes it"
with_host mirror
lab_push "$HOST" "$deb" /root/picket.deb
in_host dpkg -i /root/picket.deb >/dev/null 2>&1
in_host sh -e -c '
  cd /root
  picket-onboarding init --org Acme --region eu >/dev/null
  picket-onboarding definitions publish /root/mirror --from /usr/share/picket/definitions >/dev/null
  picket-onboarding create -o acme.zip --definitions-url http://127.0.0.1:8791 >/dev/null
  python3 -c "import zipfile; zipfile.ZipFile(\"acme.zip\").extract(\"onboarding.json\", \"/etc/picket\")"
  systemd-run --quiet --unit=mirror python3 -m http.server 8791 --bind 127.0.0.1 --directory /root/mirror
  systemctl start picket.target'
update() { in_host picket definitions update --output json; }
healthy_engine() { in_host sh -c '[ "$(picket health --field engine_status)" = ready ]'; }

check "an update succeeds, on a host that had no definitions" wait_until 60 update
check "the engine works with it" wait_until 30 healthy_engine
check_contains "and status says where it came from" "$(in_host picket definitions status)" "http://127.0.0.1:8791"
check_equal "the link ran as its own user" "$(in_host ps -o user= -C picket-link | sort -u)" picket-net
check_equal "without a capability" "$(in_host sh -c 'sed -n "s/^CapBnd:\t//p" /proc/$(pgrep -x picket-link)/status')" 0000000000000000
in_host systemctl stop picket.target
exit "$ASSERT_FAILED"
