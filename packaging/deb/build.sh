#!/usr/bin/env bash
# Makes picket_VERSION_ARCHITECTURE.deb from a release build. Usage: packaging/deb/build.sh PROGRAMS OUTPUT
# PROGRAMS: the folder of the built programs; OUTPUT: where the package goes. Prints the package's path.
# The same input gives the same bytes: times come from SOURCE_DATE_EPOCH, owners are root, names are sorted.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/packaging/deb
. "$top/packaging/stage.sh"
begin "$1" "$2"
architecture=$(dpkg --print-architecture)
mkdir -p "$root/DEBIAN"

put_changelog() {
  local changelog=$root/usr/share/doc/picket/changelog.gz
  mkdir -p "${changelog%/*}"
  {
    printf 'picket (%s) unstable; urgency=medium\n\n  * Release %s. What changed for users is in CHANGELOG.md.\n\n' "$version" "$version"
    printf ' -- The Picket authors <picket@example.org>  %s\n' "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
  } | gzip -9n >"$changelog"
  gzip -9nc "$top/CHANGELOG.md" >"${changelog%/*}/CHANGELOG.md.gz"
}

# What the programs are linked against, in the words of this distribution. What is linked with glibc alone needs the
# version of its newest symbol; dpkg-shlibdeps would name the one it was built beside.
dependencies() {
  if [ -n "${PICKET_PORTABLE:-}" ]; then
    printf 'libc6 (>= %s)\n' "$(objdump -T "$root"/usr/bin/* "$root"/usr/sbin/* "$root"/usr/libexec/picket/picket-* 2>/dev/null |
      grep -o 'GLIBC_[0-9.]*' | cut -d_ -f2 | sort -V | tail -n 1)"
    return
  fi
  mkdir -p "$work/debian"
  printf 'Source: picket\nPackage: picket\nArchitecture: any\n' >"$work/debian/control"
  if ! (cd "$work" && dpkg-shlibdeps -O "$root"/usr/bin/* "$root"/usr/sbin/* "$root"/usr/libexec/picket/picket-*) \
    >"$work/substvars" 2>"$work/shlibdeps.log"; then
    cat "$work/shlibdeps.log" >&2
    return 1
  fi
  sed -n 's/^shlibs:Depends=//p' "$work/substvars"
}

put_control() {
  local size depends
  depends=$(dependencies)
  size=$(find "$root" -path "$root/DEBIAN" -prune -o -type f -printf '%s\n' | awk '{ total += int(($1 + 1023) / 1024) } END { print total + 20 }')
  sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@DEPENDS@/$depends/; s/@SIZE@/$size/" \
    "$here/control" >"$root/DEBIAN/control"
  for script in postinst prerm postrm; do
    expand_script "$here/$script" >"$work/script"
    install -m 755 "$work/script" "$root/DEBIAN/$script"
  done
  # -z: a backslash in a name (systemd's units) is not to be escaped, dpkg does not know that.
  (cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum -z | tr '\0' '\n') \
    >"$root/DEBIAN/md5sums"
}

put_rows deb
put_data
put_changelog
put_control
put_times
mkdir -p "$output"
package=$output/picket_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
