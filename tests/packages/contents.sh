# shellcheck shell=bash disable=SC2154 # $kind, $scratch and in_host are those of the test
# What deb_test.sh and rpm_test.sh ask of a host: does it hold what packaging/contents says? Sourced; $kind is deb or rpm.

# rows KIND…: "mode path" of the package's files or folders
rows() { contents_of "$kind" | awk -v kinds=" $* " 'index(kinds, " " $1 " ") { print substr($2, 2), $4 }'; }
host_has_rows() {
  local wanted mode path
  wanted=$(rows "$@")
  while read -r mode path; do printf '%s 0:0 %s\n' "$mode" "$path"; done <<<"$wanted" >"$scratch/wanted"
  cut -d' ' -f2- <<<"$wanted" | in_host xargs -d '\n' stat -c '%a %u:%g %n' 2>&1 | diff "$scratch/wanted" -
}
active() { in_host systemctl is-active picketd.service; }
main_pid() { in_host systemctl show -p MainPID --value "$1"; }
