#!/usr/bin/env bash
# Makes, once, a minimal tree of a Debian release for lab hosts, and prints its archive.
# Usage: base_tree.sh [--at-hand] SUITE[+PACKAGE,PACKAGE…]: with these packages, too.
# --at-hand: makes none; exit 1 where there is none yet.
# The archive is kept in PICKET_LAB_CACHE (default: ~/.cache/picket/lab). Needs debootstrap and the distribution's mirror.
set -euo pipefail
at_hand=
[ "$1" != --at-hand ] || { at_hand=yes && shift; }
tree=$1
suite=${tree%%+*}
more=${tree#"$suite"}
cache=${PICKET_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/picket/lab}
archive=$cache/$tree.tar.gz

# The mirror that this machine itself uses.
mirror() {
  cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
    sed -n 's/^URIs: *\([^ ]*\/debian\/*\)$/\1/p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\/debian\/*\) .*/\2/p' | head -n 1
}

[ -z "$at_hand" ] || [ -f "$archive" ] || exit 1
if [ ! -f "$archive" ]; then
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if [ ! -f "$archive" ]; then
    work=$(mktemp -d "$cache/$tree.XXXXXX")
    trap 'rm -rf -- "${work:?}"' EXIT
    debootstrap --variant=minbase --include="systemd,systemd-sysv,dbus${more/+/,}" "$suite" "$work/root" "$(mirror)" >"$cache/$tree.log" 2>&1 || {
      tail -n 5 "$cache/$tree.log" >&2
      exit 1
    }
    rm -f "$work"/root/var/cache/apt/archives/*.deb "$work"/root/var/lib/apt/lists/*_*
    tar -C "$work/root" --numeric-owner -czf "$archive.part" .
    mv "$archive.part" "$archive"
  fi
fi
echo "$archive"
