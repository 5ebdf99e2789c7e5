#!/usr/bin/env bash
# Every program that is shipped asks for nothing but glibc 2.17, and is hardened.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/assert.sh
. tests/portable/shipped.sh

unpack_shipped
check "every program needs glibc 2.17 and nothing else, and is hardened" tests/packages/check_elf.py "$shipped" --glibc 2.17
check_equal "the package says so" "$(dpkg-deb -f "$deb" Depends | grep -o 'libc6 ([^)]*)')" "libc6 (>= 2.17)"
check_code 1 "no program would search for a plug-in of libclamav" grep -qF libclamunrar_iface "$shipped/usr/libexec/picket/picket-engine"
check "what it is made of is shipped" python3 -c 'import json, sys
bom = json.load(open(sys.argv[1]))
names = {component["name"] for component in bom["components"]}
assert {"clamav", "openssl", "sqlite3", "libseccomp", "regex"} <= names, names' "$shipped/usr/share/doc/picket/sbom.cdx.json"
check "with every licence" test -s "$shipped/usr/share/doc/picket/licences/openssl"
exit "$ASSERT_FAILED"
