# shellcheck shell=bash disable=SC2034,SC2154 # set by who sources it, and for them
# What packaging/deb/build.sh and packaging/rpm/build.sh have in common. Sourced; whoever does sets $top, the checkout.

# begin PROGRAMS OUTPUT: sets $programs, $output, $version, $root, the tree that becomes the package, and $work, a folder
# for what is made on the way, which goes when the script ends
begin() {
  programs=$(realpath "$1")
  output=$(realpath -m "$2")
  version=$(product_version)
  : "${SOURCE_DATE_EPOCH:?set it to the time that the package is to carry}"
  export SOURCE_DATE_EPOCH
  umask 022
  work=$(mktemp -d)
  trap 'rm -rf -- "${work:?}"' EXIT
  root=$work/root
}

# contents_of deb|rpm: the rows of packaging/contents for that package
contents_of() {
  local units=/usr/lib/systemd/system zsh=/usr/share/zsh/site-functions
  [ "$1" != deb ] || units=/lib/systemd/system zsh=/usr/share/zsh/vendor-completions
  sed -e '/^#/d' -e "s/^$1://" -e '/^[a-z]*:/d' -e "s|@units@|$units|; s|@zsh@|$zsh|" "$top/packaging/contents"
}

# expand_script FILE: the script, with each line `. packaging/scripts/PART` replaced by that part
expand_script() {
  local line part
  while IFS= read -r line; do
    case $line in
      '. packaging/scripts/'*)
        part=$top/${line#. }
        sed '/^# shellcheck/d' "$part"
        ;;
      '# shellcheck source='*) ;;
      *) printf '%s\n' "$line" ;;
    esac
  done <"$1"
}

put() { install -D -m "$1" "$2" "$root$3"; }
# put_packed MODE DESTINATION: what comes in
put_packed() {
  gzip -9n >"$work/packed"
  put "$1" "$work/packed" "$2"
}

# put_reference WHAT MODE PROGRAM DESTINATION
put_reference() {
  "$programs/reference-$3" "$1" >"$work/reference"
  if [ "$1" = manual ]; then put_packed "$2" "$4" <"$work/reference"; else put "$2" "$work/reference" "$4"; fi
}

# put_policy MODE MODULE DESTINATION
put_policy() {
  if [ ! -d "$work/selinux" ]; then
    mkdir "$work/selinux"
    "$top/packaging/selinux/compile.sh" "$work/selinux"
  fi
  put "$1" "$work/selinux/$2.pp" "$3"
}

# put_rows deb|rpm
put_rows() {
  local kind mode source destination
  while read -r kind mode source destination; do
    case $kind in
      '') ;;
      program)
        put "$mode" "$programs/$source" "$destination"
        strip --strip-unneeded --remove-section=.comment "$root$destination"
        ;;
      file) put "$mode" "$top/$source" "$destination" ;;
      packed) put_packed "$mode" "$destination" <"$top/$source" ;;
      script)
        expand_script "$top/$source" >"$work/script"
        put "$mode" "$work/script" "$destination"
        ;;
      policy) put_policy "$mode" "$source" "$destination" ;;
      manual | bash | zsh) put_reference "$kind" "$mode" "$source" "$destination" ;;
      optional) [ ! -e "$top/$source" ] || put "$mode" "$top/$source" "$destination" ;;
      folder) install -d -m "$mode" "$root$destination" ;;
      *)
        echo "packaging/contents: what is '$kind'?" >&2
        return 1
        ;;
    esac
  done < <(contents_of "$1")
}

# put_all SOURCE-FOLDER DESTINATION PATTERN…: plain data files, where there are any
put_all() {
  local folder=$top/$1 destination=$2 file
  shift 2
  [ -d "$folder" ] || return 0
  for pattern in "$@"; do
    for file in "$folder"/$pattern; do
      [ ! -f "$file" ] || put 644 "$file" "$destination/${file##*/}"
    done
  done
}

# What a portable build is made of, and under which licences. A build with the distribution's libraries ships none.
put_origins() {
  local file
  [ -n "${PICKET_PORTABLE:-}" ] || return 0
  for file in "$PICKET_PORTABLE"/licences/*; do
    put 644 "$file" "/usr/share/doc/picket/licences/${file##*/}"
  done
  "$top/packaging/portable/sbom.py" --crates "$PICKET_PORTABLE/crates.txt" -o "$work/sbom"
  put 644 "$work/sbom" /usr/share/doc/picket/sbom.cdx.json
}

put_data() {
  put_all profiles /usr/share/picket/profiles '*.json' '*.yaml'
  put_all profiles/schema /usr/share/picket/schema '*.json'
  put_origins
  put_all packaging/definitions /usr/share/picket/definitions '*.hdb' '*.hsb' '*.ndb' '*.ldb' '*.mdb' '*.fp' '*.sfp' '*.cvd' '*.json' '*.minisig'
}

# What is younger than the source gets its time, so that the same input gives the same bytes.
put_times() { find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# PICKET_VERSION: another one than the source's, for programs that say so themselves (tests of upgrades).
product_version() {
  [ -z "${PICKET_VERSION:-}" ] || { echo "$PICKET_VERSION" && return; }
  sed -n 's/^project(picket VERSION \([0-9.]*\).*/\1/p' "$top/CMakeLists.txt"
}
