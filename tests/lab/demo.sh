#!/usr/bin/env bash
# `./dev demo`: a host from nothing to protected, in a throw-away host. --keep leaves it up.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lab/lab.sh

keep=
case "${1:-}" in
  '') ;;
  --keep) keep=1 ;;
  *)
    echo "usage: ./dev demo [--keep]" >&2
    exit 2
    ;;
esac

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
# Shows a command as it would be typed on the host, and runs it there.
on_host() {
  printf '%s# %s\n' "$host" "$*"
  lab_run "$host" sh -c "$*"
}
must_fail_with() {
  local text=$1 output
  shift
  printf '%s# %s\n' "$host" "$*"
  if output=$(lab_run "$host" sh -c "$*" 2>&1); then
    printf '%s\n' "$output"
    die "that should have been denied"
  fi
  printf '%s\n' "$output"
  [[ $output == *"$text"* ]] || die "it failed, but not with '$text'"
}
die() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

if [ -n "$keep" ] && lab_running demo; then
  die "the host of an earlier ./dev demo --keep is still up: ./dev lab down demo"
fi
missing=$(lab_missing)
[ -z "$missing" ] || die "this machine cannot boot a throw-away host. Missing:"$'\n'"$missing"

say "Build and package (the first time takes minutes)"
kind="a host over this machine's own files"
if packaging/portable/build.sh --needed 2>/dev/null; then
  ./dev package
  # What runs everywhere is shown on a host that has nothing but Debian's minimum, where its tree was made already.
  if [ -n "${PICKET_LAB_BASE:=$(tests/lab/base_tree.sh --at-hand bookworm)}" ]; then
    export PICKET_LAB_BASE
    kind="a minimal Debian"
  fi
else
  ./dev package --distribution
fi
started=$SECONDS

host=demo
[ -n "$keep" ] || host=demo-$$
scratch=$(mktemp -d)
finish() {
  rm -rf -- "${scratch:?}"
  if [ -z "$keep" ]; then
    lab_down "$host"
  elif lab_running "$host"; then
    printf 'The host stays up: ./dev lab shell %s; when you are done: ./dev lab down %s\n' "$host" "$host"
  fi
}
trap finish EXIT

say "The admin's machine: an organisation and its onboarding package"
export HOME=$scratch
version=$(sed -n 's/^project(picket VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
bundle=$(echo build/dist/picket-"$version"-*.tar.gz)
(set -x; build/bin/picket-onboarding init --org "Acme" --region eu)
(set -x; build/bin/picket-onboarding create --ttl 90d --tag site=lab -o "$scratch/acme.zip")

say "A fresh host boots: $kind"
lab_up "$host" ${keep:+kept}
lab_push "$host" "$bundle" "/root/${bundle##*/}"
lab_push "$host" build/dist/picket-installer /root/picket-installer
lab_push "$host" "$scratch/acme.zip" /root/acme.zip

say "What the installer finds"
on_host "cd /root && ./picket-installer check"

say "Install"
on_host "cd /root && ./picket-installer install --onboarding acme.zip"

say "Is it protected?"
on_host "picket health"

say "A process writes the EICAR test file and keeps it open; another opens it"
# In two halves, so that no file of this project is what it looks for.
first='X5O!P%@AP[4\PZX54(P^)7CC)7}'
second='$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'
printf '%s# exec 3>invoice.pdf; printf … >&3; cat invoice.pdf\n' "$host"
if output=$(lab_run "$host" sh -c 'cd /root; exec 3>invoice.pdf; printf "%s%s" "$0" "$1" >&3; cat invoice.pdf 3>&-' \
  "$first" "$second" 2>&1); then
  die "the file could be read: $output"
fi
printf '%s\n' "$output"
[[ $output == *"Operation not permitted"* ]] || die "it could not be read, but for another reason than ours"

say "What Picket did about it"
lab_run "$host" timeout 10 sh -c 'while [ -e /root/invoice.pdf ]; do sleep 0.1; done' || die "the file is still there"
on_host "picket threat list"
on_host "picket threat quarantine list"
must_fail_with "No such file" "ls -l /root/invoice.pdf"

printf '\nFrom nothing to protected in %d s after the build.\n' $((SECONDS - started))
