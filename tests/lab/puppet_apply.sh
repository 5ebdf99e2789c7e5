# shellcheck shell=bash disable=SC2034,SC2154 # the tests read what is set here, assert.sh sets
# `puppet apply` on $HOST with the project of docs/puppet.md, which is exported there. Sourced after assert.sh.

document=$LAB_CHECKOUT/docs/puppet.md
# block TITLE: the file that the document shows below this line
block() { awk -v title="$1" 'index($0, title) { found = 1 } found && /^```$/ { exit } found && inside; found && /^```/ { inside = 1 }' "$document"; }

# puppet_project: all of the document that makes the first hosts protected, but for the hosts' names: $HOST is the one
# in it, $certname there. Its files are in $environment, $common is what is true of it alone.
puppet_project() {
  local line
  environment=$(in_host puppet config print environmentpath)/picket
  certname=$(in_host puppet config print certname)
  while read -r line; do
    check "${line:0:110}" in_host sh -c "cd /root && ${line#server# }" </dev/null
  done < <(sed -n '/^## From nothing/,/^## /p' "$document" | grep '^server# ')
  in_host sed -i "s/web1.example.org/$certname/" "$environment/manifests/site.pp"
  common=$(block '`data/nodes/web1.example.org.yaml`')
  put "data/nodes/$certname.yaml" <<<"$common"
}
put() { in_host sh -c 'mkdir -p "${0%/*}" && cat >"$0"' "$environment/$1"; }

# apply CODE WHAT [OPTION…]: a run as an agent's would be; its output, without what only names classes, is in $OUTPUT
apply() {
  local code=$1 what=$2
  shift 2
  check_code "$code" "$what" in_host puppet apply --environment picket --color=false --detailed-exitcodes "$@" "$environment/manifests/site.pp"
  OUTPUT=$(grep -v -e '^Notice: Compiled' -e '^Notice: Applied' -e 'Would have triggered' -e 'serverip' <<<"$OUTPUT")
}
ensure() { in_host sed -i "s/^picket::ensure: .*/picket::ensure: $1/" "$environment/data/common.yaml"; }
purge() { in_host sh -c 'echo "picket::purge: true" >>"$0"' "$environment/data/common.yaml"; }

# What bears Picket's name on it, but for what Puppet itself has there.
left() { picket_traces "$HOST" | grep -v -e /code/ -e /puppet/ -e /run/picket-installer.lock; }
