# shellcheck shell=bash disable=SC2034 # the tests read what is set here
# For tests that are shell scripts: each says what a user can see, then checks it. Sourced.
# Exit codes: 0 all held, 1 something did not, 77 cannot be tried here (the last line says why).

ASSERT_FAILED=0

# check WHAT COMMAND…: the command succeeds
check() {
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "ok    $what"
  else
    assert_failed "$what" "$* ended with $?: $output"
  fi
}

# check_code CODE WHAT COMMAND…: the command ends with exactly this exit code; its output is in $OUTPUT
check_code() {
  local code=$1 what=$2 got=0
  shift 2
  OUTPUT=$("$@" 2>&1) || got=$?
  if [ "$got" = "$code" ]; then
    echo "ok    $what"
  else
    assert_failed "$what" "$* ended with $got, not $code: $OUTPUT"
  fi
}

# check_contains WHAT TEXT PART: the text has the part
check_contains() {
  if [[ $2 == *"$3"* ]]; then echo "ok    $1"; else assert_failed "$1" "'$3' is not in: $2"; fi
}

check_equal() {
  if [ "$2" = "$3" ]; then echo "ok    $1"; else assert_failed "$1" "is '$2', not '$3'"; fi
}

assert_failed() {
  echo "FAIL  $1"
  printf '      %s\n' "$2"
  ASSERT_FAILED=1
}

# wait_until SECONDS COMMAND…: true as soon as the command succeeds
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.1
  done
}

skip() {
  echo "skip: $*"
  exit 77
}

needs_hosts() {
  local missing
  missing=$(lab_missing)
  [ -z "$missing" ] || skip "no host can be booted here: ${missing//$'\n'/; }"
}

# needs TOOL…
needs() {
  local tool
  for tool in "$@"; do
    PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || skip "$tool is not installed (./dev setup installs it)"
  done
}

# What ./dev package made: the folder $dist, the $bundle in it, and the program $onboarding.
needs_bundle() {
  dist=${PICKET_DIST:-$LAB_CHECKOUT/build/dist}
  onboarding=${PICKET_BIN:-$LAB_CHECKOUT/build/bin}/picket-onboarding
  bundle=$(echo "$dist"/picket-*-"$(uname -m)".tar.gz)
  [ -f "$bundle" ] || skip "no bundle in $dist: ./dev package makes it"
}

# The test's own host, taken down however the test ends.
with_host() {
  needs_hosts
  HOST=$1-$$
  trap 'lab_down "$HOST"' EXIT
  lab_up "$HOST" || exit 1
}

# with_host, and what an administrator brings along, in its /root: picket-installer, the bundle, and acme.zip, an
# onboarding package. $scratch is the test's own folder.
with_bundle_host() {
  needs_bundle
  scratch=$(mktemp -d)
  HOME=$scratch "$onboarding" init --org Acme --region eu >/dev/null &&
    HOME=$scratch "$onboarding" create --tag site=lab -o "$scratch/acme.zip" >/dev/null || exit 1
  with_host "$1"
  trap 'lab_down "$HOST"; rm -rf -- "${scratch:?}"' EXIT
  bring "$HOST" || exit 1
}

# bring HOST: picket-installer, the bundle and acme.zip of $scratch into its /root
bring() {
  local file
  for file in "$bundle" "$dist/picket-installer" "$scratch/acme.zip"; do lab_push "$1" "$file" "/root/${file##*/}" || return; done
}

in_host() { lab_run "$HOST" "$@"; }

# check_traces WHAT BEFORE AFTER: nothing of Picket's came or went between the two picket_traces
check_traces() {
  if [ "$2" = "$3" ]; then echo "ok    $1"; else assert_failed "$1" "$(diff <(echo "$2") <(echo "$3") | head -n 20)"; fi
}

# picket_traces HOST: what bears Picket's name there, but for what systemd, dpkg and the journal keep of it. The host's
# machine lends it what it has itself, so compare with what was there before. The last word is there where the look came to its end.
picket_traces() {
  lab_run "$1" sh -c 'find / -xdev \( -path "*picket*" -o -name "*picket*" \) -not -path "/proc/*" -not -path "/sys/*" \
    -not -path "/var/lib/systemd/*" -not -path "/var/log/journal/*" -not -path "/var/lib/dpkg/info/*" -print
    ls -d /run/picket; getent passwd picket-engine; getent group picket-engine
    ! command -v rpm >/dev/null || rpm -qa "picket*"
    echo looked' 2>/dev/null | LC_ALL=C sort
}
