#!/usr/bin/env bash
# The collection: built, linted, documented, and its modules compiled by the Pythons at hand.
set -u
cd "$(dirname "$0")" || exit 1
. ../lab/assert.sh
top=$(cd ../.. && pwd)
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
for tool in ansible-doc ansible-galaxy ansible-lint yamllint git; do
  command -v "$tool" >/dev/null || skip "$tool is not installed (./dev setup installs it)"
done

scratch=$(mktemp -d)
trap 'rm -rf -- "${scratch:?}"' EXIT
export HOME=$scratch ANSIBLE_COLLECTIONS_PATH=$scratch ANSIBLE_NOCOLOR=1
collection=$scratch/ansible_collections/picket/endpoint

# What the bundle holds: made by ansible-galaxy, and the same bytes each time.
check "both archives are made" python3 "$top/packaging/fleet_archives.py" "$top" "$scratch"
mkdir "$scratch/again"
check "and once more" python3 "$top/packaging/fleet_archives.py" "$top" "$scratch/again"
for archive in "$scratch"/*.tar.gz; do
  check "${archive##*/} is the same bytes" cmp "$archive" "$scratch/again/${archive##*/}"
done
check "the collection is installed, offline" ansible-galaxy collection install "$scratch"/picket-endpoint-*.tar.gz -p "$scratch" --offline
cp "$top"/ansible/{.yamllint,galaxy.yml} "$collection"
git -C "$collection" init -q # ansible-lint looks for the root of a repository
cd "$collection" || exit 1

check "yamllint" yamllint --strict .
check "ansible-lint, profile production" ansible-lint --offline --profile production -q --nocolor
for playbook in playbooks/*.yml; do
  check "$playbook: syntax" ansible-playbook --syntax-check -i localhost, "$playbook"
done
for module in plugins/modules/*.py; do
  name=picket.endpoint.$(basename "$module" .py)
  check "ansible-doc $name" ansible-doc "$name"
done
for role in roles/*/; do
  name=$(basename "$role")
  check_contains "ansible-doc -t role picket.endpoint.$name" "$(ansible-doc -t role "picket.endpoint.$name" 2>&1)" "ENTRY POINT"
done
for python in python2.7 python3; do
  command -v "$python" >/dev/null || continue
  check "$python compiles what runs on hosts" "$python" -c '
import sys
for path in sys.argv[1:]:
    compile(open(path).read(), path, "exec")' plugins/modules/*.py plugins/module_utils/*.py
done
exit "$ASSERT_FAILED"
