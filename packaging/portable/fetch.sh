# shellcheck shell=bash
# Gets what sources.txt names, as exactly that: nothing is used whose sum is another. Sourced by build.sh.

pins() { sed '/^#/d; /^$/d' "$here/sources.txt"; }

# apt with the distribution's own source packages beside what the host has set up; the host's settings stay as they are.
apt_for_sources() {
  local apt=$cache/apt part
  if [ ! -f "$apt/updated" ]; then
    mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/archives/partial"
    for part in /etc/apt/sources.list.d/*.sources; do
      [ ! -f "$part" ] || sed 's/^Types:.*/Types: deb deb-src/' "$part" >"$apt/parts/${part##*/}"
    done
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb \(.*\)/deb \1\ndeb-src \1/p' >"$apt/parts/host.list"
    printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "%s";\nDir::State::lists "%s";\nDir::Cache "%s";\nAPT::Sandbox::User "root";\n' \
      "$apt/parts" "$apt/lists" "$apt" >"$apt/apt.conf"
    APT_CONFIG=$apt/apt.conf apt-get -qq update
    touch "$apt/updated"
  fi
  APT_CONFIG=$apt/apt.conf "$@"
}

verify() { echo "$2  $1" | sha256sum --check --status || die "$1 is not what sources.txt pins: its sum is $(sha256sum <"$1" | cut -d' ' -f1)"; }

# fetch KIND NAME VERSION SUM: into $cache/sources, once
fetch() {
  local kind=$1 name=$2 version=$3 sum=$4 folder=$cache/sources file
  mkdir -p "$folder"
  cd "$folder"
  case $kind in
    source) file=${name}_${version#*:}.dsc ;;
    headers) file=${name}_${version}_all.deb ;;
    npm) file=$(npm_file "$name" "$version") ;;
    *) die "sources.txt: what is '$kind'?" ;;
  esac
  if [ ! -f "$file" ]; then
    case $kind in
      source) apt_for_sources apt-get -qq source --download-only "$name=$version" ;;
      headers) apt_for_sources apt-get -qq download "$name=$version" ;;
      npm) npm pack --silent "$name@$version" >/dev/null ;;
    esac || die "$name $version is pinned in packaging/portable/sources.txt and not to be had here; \`./dev sbom --outdated\` says what is"
  fi
  verify "$file" "$sum"
}

npm_file() { printf '%s-%s.tgz' "$(printf %s "${1#@}" | tr / -)" "$2"; }

pin_of() { pins | awk -v name="$1" '$2 == name { print $3 }'; }

# unpack NAME FOLDER: the source package's files with the distribution's patches; what its licence says is kept
unpack() {
  local version
  version=$(pin_of "$1")
  rm -rf -- "${2:?}"
  # It compares the sums of all files with the .dsc's, which is pinned; the signature would say no more.
  dpkg-source --no-check --require-strong-checksums -x "$cache/sources/${1}_${version#*:}.dsc" "$2" >/dev/null 2>&1 ||
    dpkg-source --no-check -x "$cache/sources/${1}_${version#*:}.dsc" "$2"
  mkdir -p "$root/licences"
  cp "$2/debian/copyright" "$root/licences/$1"
}
