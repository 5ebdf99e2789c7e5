# shellcheck shell=sh
# The engine's user; one that is there already keeps its number.
make_user() {
    ! getent passwd picket-engine >/dev/null || return 0
    group=--user-group
    ! getent group picket-engine >/dev/null || group=--gid=picket-engine
    useradd --system "$group" --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin picket-engine
}
