#!/usr/bin/env bash
# Makes, once, what the portable build is linked with: compilers for glibc 2.17 and every library, static. Prints the
# folder with toolchain.cmake. Usage: packaging/portable/build.sh [--key | --needed | --sources]
#   --key      only say what the result is filed under: it changes with the pins, the flags and the compilers
#   --needed   exit 0 where it is already there, 1 where it would have to be built (a quarter of an hour on two quiet cores)
#   --sources  only fetch
# The cache is PICKET_PORTABLE_CACHE, by default ~/.cache/picket/portable. Logs are in its KEY/log.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${PICKET_PORTABLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/picket/portable}
machine=$(uname -m)

die() {
  printf 'portable build: %s\n' "$*" >&2
  exit 1
}

# shellcheck source=packaging/portable/fetch.sh
. "$here/fetch.sh"
# shellcheck source=packaging/portable/compilers.sh
. "$here/compilers.sh"
# shellcheck source=packaging/portable/libraries.sh
. "$here/libraries.sh"
architecture "$machine"

key() {
  {
    cat "$here"/{sources.txt,fetch.sh,compilers.sh,libraries.sh,crates.py,clamav-no-plugins.patch}
    "$llvm/clang" --version
    /usr/bin/rustc --version
  } | sha256sum | cut -c 1-16
}

key=${PICKET_PORTABLE_KEY:-$(key)} # set while one works on these scripts, so that not all is built again
root=$cache/$key
prefix=$root/prefix
work=$root/work
flags="-O2 -fPIC -ffunction-sections -fdata-sections $hardening $branch_protection -ffile-prefix-map=$root=."
steps="sysroot wrappers cxx headers zlib bzip2 xz zstd yaml fmt seccomp sqlite openssl archive curl jsonc pcre xml mspack clamav clashes"

step() {
  local name=$1 log=$root/log/$1.log start=$SECONDS
  [ ! -e "$root/done/$name" ] || return 0
  printf 'portable build: %-9s' "$name" >&2
  if ! (set -e; cd "$work"; run_step "$name") >"$log" 2>&1; then
    printf ' failed\n' >&2
    tail -n 40 "$log" >&2
    die "$name could not be built; all that it said is in $log"
  fi
  touch "$root/done/$name"
  printf ' %4d s\n' $((SECONDS - start)) >&2
}

run_step() {
  case $1 in
    sysroot) unpack_sysroot ;;
    wrappers) write_wrappers ;;
    cxx) build_cxx ;;
    *)
      use_compilers
      "build_$1"
      ;;
  esac
}

case ${1:-} in
  --key)
    echo "$key"
    exit
    ;;
  --needed)
    test -e "$root/done/all"
    exit
    ;;
  '' | --sources) ;;
  *) die "what is '$1'? --key, --needed or --sources" ;;
esac

if [ ! -e "$root/done/all" ]; then
  mkdir -p "$root/log" "$root/done" "$work" "$prefix/lib/pkgconfig" "$prefix/include"
  exec 9>"$root/lock"
  flock 9 # whoever waited here finds every step done
  pins | while read -r kind name version sum _; do
    (fetch "$kind" "$name" "$version" "$sum")
  done
  [ "${1:-}" != --sources ] || exit 0
  for name in $steps; do
    step "$name"
  done
  rm -rf -- "${work:?}"
  touch "$root/done/all"
fi
echo "$root"
