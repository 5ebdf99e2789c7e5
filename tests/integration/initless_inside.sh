#!/usr/bin/env bash
# What initless_test.sh runs inside. Changes the host that it runs on: only for the lab.
set -u
# shellcheck source=tests/lab/assert.sh
. /root/assert.sh
mount -t tmpfs -o mode=755 tmpfs /run || exit 1

healthy() { picket health; }
kill_and_await() {
  pkill "-$1" -x "$2"
  sleep 0.3
  wait_until 60 healthy
}

check_code 0 "check passes" /root/picket-installer check
check_contains "and says what will run the services" "$OUTPUT" picket-supervisor
check_code 0 "it installs, with the self-test" /root/picket-installer install --onboarding /root/acme.zip
check_code 0 "it is healthy" picket health
check_code 0 "a second install succeeds" /root/picket-installer install --onboarding /root/acme.zip --output json
check_contains "and changes nothing" "$OUTPUT" '"changed":false'
check "a killed gate comes back" kill_and_await KILL picketd
check "a stopped gate is killed and comes back" kill_and_await STOP picketd
check "a killed engine comes back" kill_and_await KILL picket-engine
check "a killed guard comes back" kill_and_await KILL picket-guard
check_code 0 "and all of it protects" picket selftest
pkill -STOP -x picketd
check_code 0 "uninstall --purge with a stopped gate" /root/picket-installer uninstall --purge
check_code 1 "nothing of it runs" pgrep -x 'picketd|picket-.*' # not the installer, which has ended
check_code 1 "and no state is left" test -e /var/lib/picket
exit "$ASSERT_FAILED"
