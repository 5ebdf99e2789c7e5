# shellcheck shell=bash disable=SC2034 # the tests read what is set here
# What `./dev package` has left in build/dist, unpacked: $shipped. Sourced.
dist=${PICKET_DIST:-build/dist}
deb=$(find "$dist" -name 'picket_*.deb' 2>/dev/null | head -n 1)

unpack_shipped() {
  [ -f "$deb" ] || skip "there is no package in $dist: ./dev package makes it"
  dpkg-deb -f "$deb" Depends | grep -q 'libc6 (>= 2.17)' || skip "the package in $dist is this distribution's only: ./dev package makes the portable one"
  shipped=$(mktemp -d)
  trap 'rm -rf -- "${shipped:?}"' EXIT
  dpkg-deb -x "$deb" "$shipped"
  install -m 755 "$dist/picket-installer" "$shipped/picket-installer"
}
