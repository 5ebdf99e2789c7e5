#!/usr/bin/env bash
# Makes the signed bundle. Usage: packaging/make_bundle.sh PROGRAMS OUTPUT PACKAGE…
# PROGRAMS: the folder of the built programs; OUTPUT: the folder for the results; PACKAGE: the .deb and the .rpm.
# The signing key is the organisation's that builds: made at first use in PICKET_RELEASE_KEYS, outside of the tree.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
programs=$1 output=$2
shift 2
. "$top/packaging/release_keys.sh"
. "$top/packaging/stage.sh"
version=$(product_version)
architecture=$(uname -m)
# A build works for nine months: an agent that nobody updates any more says so in time.
expires=$(date -u -d "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d) +9 months" +%Y-%m-%d)

files=()
for package in "$@"; do
  files+=(--file "${package##*/}=$package")
done
for file in "$top"/packaging/definitions/*; do
  case $file in *.md | *.sh) ;; *) files+=(--file "definitions/${file##*/}=$file") ;; esac
done
for file in "$top"/profiles/*.yaml "$top"/profiles/schema/*.json; do
  files+=(--file "profiles/${file##*/}=$file")
done
scratch=$(mktemp -d)
trap 'rm -rf -- "${scratch:?}"' EXIT
python3 "$top/packaging/fleet_archives.py" "$top" "$scratch" >"$scratch/archives"
for file in "$scratch"/picket-endpoint-*.tar.gz; do files+=(--file "ansible/${file##*/}=$file"); done
for file in "$scratch"/picket-picket-*.tar.gz; do files+=(--file "puppet/${file##*/}=$file"); done

installer=$output/picket-installer
cp "$(realpath "$programs/picket-installer")" "$installer"
strip --strip-unneeded --remove-section=.comment "$installer"
"$programs/picket-bundle" make --version "$version" --architecture "$architecture" --key-directory "$PICKET_RELEASE_KEYS" \
  --installer "$installer" "${files[@]}" --expires "$expires" --output "$output/picket-$version-$architecture.tar.gz"
