# shellcheck shell=bash
# Turns a lab host into one that looks like RHEL 9's family: its names, an rpm database of its own, dnf where this machine
# has it. Sourced, after lab.sh and assert.sh. It is a stand-in: libraries, folders, kernel and SELinux stay Debian's, so
# what is proved is the way through rpm, not that the programs run on a real one.

el_missing() {
  local tool
  for tool in rpm rpmbuild; do
    command -v "$tool" >/dev/null || echo "$tool: not installed (./dev setup installs it)"
  done
}

# The host's dpkg and its database stay: what the distribution is has to decide.
el_make() {
  in_host sh -c '
    rm -f /etc/os-release /etc/debian_version /etc/dpkg/origins/default
    cat >/etc/os-release <<END
NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
END
    echo "Rocky Linux release 9.4 (Blue Onyx)" >/etc/redhat-release
    mkdir -p /etc/rpm /etc/yum.repos.d /etc/dnf/plugins
    echo "%_dbpath /var/lib/rpm" >/etc/rpm/macros
    rm -rf /var/lib/rpm /root/.rpmdb
    rpm --initdb'
}

# el_build SPEC OUTPUT: builds OUTPUT/NAME.rpm
el_build() {
  HOME=$2 rpmbuild -bb --quiet --define "_topdir $2/rpmbuild" --define "_rpmdir $2" --define "_dbpath $2/rpmdb" \
    --define '_build_name_fmt %%{NAME}.rpm' "$1" >"$2/rpmbuild.log" 2>&1 ||
    { cat "$2/rpmbuild.log" >&2; return 1; }
}

# el_eicar OUTPUT: a package whose one file is the test virus, in two halves until it is built. Prints its path.
el_eicar() {
  cat >"$1/lab-eicar.spec" <<'END'
Name: lab-eicar
Version: 1
Release: 1
Summary: a package that definitions are wrong about
License: none
BuildArch: noarch
AutoReqProv: no
%description
a package that definitions are wrong about
%install
mkdir -p %{buildroot}/usr/share/lab-eicar
printf '%%s%%s' 'X5O!P%%@AP[4\PZX54(P^)7CC)7}$' 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*' >%{buildroot}/usr/share/lab-eicar/sample
%files
/usr/share/lab-eicar
END
  el_build "$1/lab-eicar.spec" "$1" && echo "$1/lab-eicar.rpm"
}

# el_libraries OUTPUT RPM…: a package that owns up to what this Debian has and those packages need, as an EL host's own
# packages would. Prints its path.
el_libraries() {
  local output=$1
  shift
  {
    printf 'Name: lab-libraries\nVersion: 1\nRelease: 1\nSummary: what this host has\nLicense: none\nBuildArch: noarch\nAutoReqProv: no\n'
    rpm -qp --requires "$@" 2>/dev/null | grep -v '^rpmlib(' | sort -u | sed 's/^/Provides: /'
    printf '\n%%description\nwhat this host has\n\n%%files\n'
  } >"$output/lab-libraries.spec"
  el_build "$output/lab-libraries.spec" "$output" || return
  echo "$output/lab-libraries.rpm"
}
