# shellcheck shell=sh
# The users of the engine and of what downloads; one that is there already keeps its number.
make_user() {
    for user in picket-engine picket-net; do
        ! getent passwd $user >/dev/null || continue
        group=--user-group
        ! getent group $user >/dev/null || group=--gid=$user
        useradd --system "$group" --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin $user
    done
}
