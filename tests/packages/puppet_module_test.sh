#!/usr/bin/env bash
# The Puppet module without a host: syntax, style, specs, reference, and that it names the systems that Picket supports.
set -u
cd "$(dirname "$0")/../../puppet" || exit 1
# shellcheck source=tests/lab/assert.sh
. ../tests/lab/assert.sh

needs puppet puppet-lint rspec shellcheck
ruby -e 'require "rspec-puppet"' 2>/dev/null || skip "ruby-rspec-puppet is not installed: ./dev setup"
scratch=$(mktemp -d)
trap 'rm -rf -- "${scratch:?}"' EXIT
export HOME=$scratch

check "Puppet reads classes, types and functions" puppet parser validate manifests types functions
check "and the plan" puppet parser validate --tasks plans
check "puppet-lint finds nothing" puppet-lint --relative --fail-on-warnings manifests types functions plans
check "shellcheck finds nothing in the tasks" shellcheck tasks/*.sh
check_equal "no Ruby file has a warning" "$(find lib spec -name '*.rb' -exec ruby -wc {} \; 2>&1 | grep -v '^Syntax OK$')" ""
for file in metadata.json tasks/*.json; do check "$file is JSON" python3 -m json.tool "$file"; done
check "the specs hold" rspec

# systems_differ: what only one of metadata.json and the installer's support matrix names
systems_differ() {
  python3 - metadata.json ../libs/host/support_matrix.yaml <<'END'
import json, re, sys
names = {"RedHat": "rhel", "CentOS": "centos", "OracleLinux": "ol", "AlmaLinux": "almalinux", "Rocky": "rocky", "Amazon": "amzn",
         "Fedora": "fedora", "SLES": "sles", "Debian": "debian", "Ubuntu": "ubuntu"}
matrix = {row[1]: set(re.findall(r'"([^"]+)"', row[2])) for row in
          (re.search(r"\{id: ([^,]+),.*known: \[([^]]*)\]", line) for line in open(sys.argv[2])) if row}
for system in json.load(open(sys.argv[1]))["operatingsystem_support"]:
    for release in matrix[names[system["operatingsystem"]]] ^ set(system["operatingsystemrelease"]):
        print(system["operatingsystem"], release)
END
}
check_equal "metadata.json names the releases that the installer knows" "$(systems_differ)" ""

check "the archive is made" python3 ../packaging/fleet_archives.py .. "$scratch"
check "Puppet installs it, without a network" \
  puppet module install --ignore-dependencies --force --target-dir "$scratch/modules" "$scratch"/picket-picket-*.tar.gz
check "as the module that it is" diff -r manifests "$scratch/modules/picket/manifests"

if puppet strings --version >/dev/null 2>&1; then
  cp -r . "$scratch/picket"
  (cd "$scratch/picket" && rm REFERENCE.md && puppet strings generate --format markdown --out REFERENCE.md) >"$scratch/said" 2>&1
  check "REFERENCE.md is as the module says of itself; if not: cd puppet && puppet strings generate --format markdown --out REFERENCE.md" \
    diff REFERENCE.md "$scratch/picket/REFERENCE.md"
  check_equal "puppet-strings misses no description" "$(grep '^\[warn\]' "$scratch/said")" ""
else
  echo "not checked: REFERENCE.md (puppet-strings is not installed: ./dev setup)"
fi
exit "$ASSERT_FAILED"
