#!/usr/bin/env bash
# Makes picket-VERSION-1.ARCHITECTURE.rpm from a release build. Usage: packaging/rpm/build.sh PROGRAMS OUTPUT
# PROGRAMS: the folder of the built programs; OUTPUT: where the package goes. Prints the package's path.
# The same input gives the same bytes: times come from SOURCE_DATE_EPOCH, the build host has a fixed name.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/packaging/rpm
. "$top/packaging/stage.sh"
begin "$1" "$2"
architecture=$(uname -m)
mkdir "$root"

# For %files: what the package holds, each with its mode; of the folders only its own ones.
files() {
  echo '%defattr(-,root,root,-)'
  contents_of rpm | awk '$1 == "folder" { printf "%%dir %%attr(%s,root,root) %s\n", $2, $4 }'
  (cd "$root" && find usr/libexec/picket usr/share/picket usr/share/doc/picket usr/share/licenses/picket -type d -printf '%%%%dir /%p\n' | LC_ALL=C sort)
  find "$root" -type f -printf '/%P\n' | LC_ALL=C sort | while read -r path; do
    case $path in
      /usr/share/doc/* | /usr/share/man/*) echo "%doc $path" ;;
      /usr/share/licenses/*) echo "%license $path" ;;
      *) echo "$path" ;;
    esac
  done
}

# A spec knows a backslash and a percent sign; the scripts hold one of the first and none of the second.
scripts() {
  local script
  for script in pre post preun postun; do
    printf '%%%s\n' "$script"
    expand_script "$here/$script" | sed '1d; s/%/%%/g'
    echo
  done
}

put_spec() {
  local date
  date=$(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')
  scripts >"$work/scripts"
  files >"$work/files"
  sed -e "s|@VERSION@|$version|; s|@ROOT@|$root|; s|@DATE@|$date|" \
    -e "/^@SCRIPTS@\$/ { r $work/scripts
        d }; /^@FILES@\$/ { r $work/files
        d }" "$here/picket.spec" >"$work/picket.spec"
}

options=(--define "_topdir $work/rpm" --define "_rpmdir $work")
while IFS= read -r line; do
  case $line in '' | '#'*) ;; *) options+=(--define "$line") ;; esac
done <"$here/macros"

put_rows rpm
put_data
put_times
put_spec
if ! HOME=$work rpmbuild -bb --quiet --target "$architecture-linux" "${options[@]}" "$work/picket.spec" >"$work/rpmbuild.log" 2>&1; then
  cat "$work/rpmbuild.log" >&2
  exit 1
fi
mkdir -p "$output"
package=$output/picket-$version-1.$architecture.rpm
mv "$work/${package##*/}" "$package"
echo "$package"
