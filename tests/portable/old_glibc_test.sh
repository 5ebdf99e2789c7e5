#!/usr/bin/env bash
# Every shipped program runs where there is nothing but the loader and libraries of glibc 2.17, and does real work there;
# also where the kernel refuses what 3.10 does not have.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/assert.sh
. tests/portable/shipped.sh
[ "$(id -u)" = 0 ] || skip "needs root (chroot)"
packaging/portable/build.sh --needed || skip "the glibc 2.17 of the portable build is not here: ./dev build portable"
prefix=$(packaging/portable/build.sh)

unpack_shipped
mkdir -p "$shipped/lib64" "$shipped/lib" "$shipped/proc" "$shipped/dev" "$shipped"/tmp/{there,there_on_3_10}
cp -a "$prefix"/sysroot/lib/{ld-*,libc.so*,libc-*,libm.so*,libm-*,libdl*,libpthread*,librt*,libresolv*} "$shipped/lib/"
rmdir "$shipped/lib64" && ln -s lib "$shipped/lib64"
mknod -m 666 "$shipped/dev/null" c 1 3
mknod -m 666 "$shipped/dev/urandom" c 1 9

cp -r profiles "$shipped/tmp/profiles"
check "the chroot holds the old glibc and nothing newer" test -e "$shipped/lib/libc-2.17.so" -a ! -e "$shipped/usr/lib/x86_64-linux-gnu"

there() { env -i HOME=/tmp/there PATH=/usr/sbin:/usr/bin:/usr/libexec/picket chroot "$shipped" "$@"; }
there_on_3_10() { env -i HOME=/tmp/there_on_3_10 PATH=/usr/sbin:/usr/bin:/usr/libexec/picket python3 tests/integration/as_kernel_3_10.py chroot "$shipped" "$@"; }

for run in there there_on_3_10; do
  for program in /usr/bin/picket /usr/bin/picket-onboarding /usr/sbin/picket-installer /picket-installer; do
    check_code 0 "$run: $program --version" "$run" "$program" --version
    check_contains "and says which" "$OUTPUT" "$(sed -n 's/^project(picket VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)"
  done
  for program in /usr/sbin/picketd /usr/libexec/picket/{picket-engine,picket-guard,picket-remedy,picket-definitions,picket-link,picket-supervisor}; do
    check_code 0 "$run: ${program##*/} --help" "$run" "$program" --help
  done
  check_code 0 "$run: an organisation is made" "$run" picket-onboarding init --org "Acme$run" --region eu
  check_code 0 "$run: and an onboarding package" "$run" picket-onboarding create -o "/tmp/$run.zip"
  check_code 0 "$run: which is opened by the confined child" "$run" picket-onboarding inspect "/tmp/$run.zip"
  for profile in profiles/*.yaml; do
    check_code 0 "$run: ${profile##*/} is valid" "$run" picket profile validate "/tmp/$profile"
  done
  check_contains "$run: a host is checked" "$("$run" picket-installer check --output json 2>&1)" '"id":"kernel.version"'
done
exit "$ASSERT_FAILED"
