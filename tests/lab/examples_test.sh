#!/usr/bin/env bash
# Every example of the verb tables, as it is written, in a throw-away host: none is a usage error, crashes or hangs.
# Where an example has an invented id or needs the network, it may fail as its program documents.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/lab/lab.sh"
. "$top/tests/lab/assert.sh"
programs=$top/build/bin bundle=$top/build/dist
for program in "$programs/reference-picket" "$bundle/picket-installer"; do
  [ -x "$program" ] || skip "there is nothing to install: ./dev package makes it"
done

# Go on until they are stopped, or for as long as there are files to scan.
endless() { case $1 in *' follow'* | *' top'* | *' scan full'* | *' scan quick'*) ;; *) return 1 ;; esac }

# end_of SECONDS EXAMPLE: runs it in the host; prints how it ended
end_of() {
  local code=0
  in_host -e HOME=/root timeout --signal=INT --kill-after=5 "$1" sh -c "cd /root && $2" >"$scratch/output" 2>"$scratch/errors" </dev/null || code=$?
  if [ $code = 124 ] && endless "$2"; then code=0; fi
  echo "$code"
}

is_json() { [[ $1 != *'--output json'* ]] || python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' <"$scratch/output" 2>/dev/null; }

# check_examples PROGRAM SECONDS CODE…: each of its examples ends with one of the codes
check_examples() {
  local program=$1 seconds=$2 example code count=0
  shift 2
  while IFS= read -r example; do
    count=$((count + 1))
    code=$(end_of "$seconds" "$example")
    if [[ " $* " != *" $code "* ]]; then
      assert_failed "$example" "ended with $code: $(tail -n 5 "$scratch/output" "$scratch/errors")"
    elif ! is_json "$example"; then
      assert_failed "$example" "prints what is not JSON: $(head -n 5 "$scratch/output")"
    else
      echo "ok    $example ($code)"
    fi
  done < <("$programs/reference-$program" examples)
  check "$program has examples" test "$count" -gt 5
}

# What the examples name: the organisation's package and key, certificates, profiles, folders to look into.
prepare() {
  local archive
  lab_push "$HOST" "$(realpath "$programs/picket-onboarding")" /usr/local/bin/picket-onboarding
  lab_push "$HOST" "$bundle/picket-installer" /usr/local/sbin/picket-installer
  archive=$(find "$bundle" -name 'picket-*.tar.gz')
  lab_push "$HOST" "$archive" "/root/${archive##*/}"
  lab_push "$HOST" "$archive" "/root/picket-0.2.0-$(uname -m).tar.gz"
  in_host -e HOME=/root sh -ec 'cd /root
    mkdir -p Downloads /srv/upload /srv/db /srv/definitions /var/www /mnt/image
    echo "Acme.Test:0:*:6f7572206f776e2074657374" >/srv/definitions/acme.ndb
    echo "{}" >base.yaml; cp base.yaml servers.yaml; cp base.yaml web-servers.yaml
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 9 -subj /CN=test 2>&1
    picket-onboarding init --org Acme --region eu
    picket-onboarding create -o acme.zip
    cp acme.zip picket-onboarding-acme.zip'
}

scratch=$(mktemp -d)
with_host examples
trap 'lab_down "$HOST"; rm -rf -- "${scratch:?}"' EXIT
check "the host has what the examples name" prepare

# The page for those who come from clamonacc, word for word: it ends with a host that protects.
while IFS= read -r line; do
  check "${line:0:100}" in_host -e HOME=/root sh -c "cd /root && ${line#*host# }" </dev/null
done < <(grep '^ *host# ' "$top/docs/migrate-from-clamonacc.md")
check_contains "what was excluded is excluded" "$(in_host picket exclusion list --output json)" /srv/mail-queue

check_examples picket-onboarding 20 0 1
check_examples picket-installer 180 0 12 20 21 31
check "Picket is installed" in_host sh -c 'cd /root && picket-installer install --onboarding acme.zip --replace-org'
restarts() { in_host systemctl show -p NRestarts --value picketd.service picket-engine.service | xargs; }
before=$(restarts)
check_examples picket 20 0 1 5 10 41
check_equal "no example ended the daemon or the engine" "$(restarts)" "$before"
check "which still protects" in_host picket selftest
exit "$ASSERT_FAILED"
