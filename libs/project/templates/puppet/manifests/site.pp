# Fill in your hosts. A group decides how its hosts are protected: its profile is named in data/groups/GROUP.yaml. Several
# hosts are node 'a.example.org', 'b.example.org', or an expression such as node /^web\d+\./.

@NODES@# Hosts without a group are left alone.
node default {
}
