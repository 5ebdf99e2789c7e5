# shellcheck shell=sh
# Takes away what Picket made, by name and type: nothing recursive, no link followed. What is not ours stays, and so does
# its folder.

# A file system that somebody has mounted in one of the folders is not ours. The whole of /var/lib/picket may lie on its own.
foreign() { [ "$1" != /var/lib/picket ] && mountpoint -q "$1"; }

# files DEPTH FOLDER PATTERN...: removes plain files of these names from a real folder
files() {
    depth=$1 folder=$2
    shift 2
    [ -d "$folder" ] && [ ! -L "$folder" ] && ! foreign "$folder" || return 0
    for pattern in "$@"; do
        find -P "$folder" -xdev -mindepth "$depth" -maxdepth "$depth" -type f -name "$pattern" -delete
    done
}

# folders FOLDER...: removes those that are empty
folders() {
    for folder in "$@"; do
        if mountpoint -q "$folder"; then
            echo "picket: a file system is mounted on $folder: that stays, and what holds it" >&2
            continue
        fi
        [ -L "$folder" ] || [ ! -d "$folder" ] || rmdir --ignore-fail-on-non-empty "$folder"
    done
}

# A running picket-installer still needs its journal, and takes it away itself.
installer_runs() { [ -e /run/picket-installer.lock ] && ! flock -n /run/picket-installer.lock true; }

# Each folder is looked at on the way down: a link put in place of one must not lead a step further.
purge_definitions() {
    [ -d /var/lib/picket/definitions ] && [ ! -L /var/lib/picket/definitions ] || return 0
    for link in current candidate; do
        [ ! -L /var/lib/picket/definitions/$link ] || rm -f /var/lib/picket/definitions/$link
    done
    files 1 /var/lib/picket/definitions '*'
    files 1 /var/lib/picket/definitions/incoming '*'
    files 2 /var/lib/picket/definitions/generations '*'
    if [ -d /var/lib/picket/definitions/generations ] && [ ! -L /var/lib/picket/definitions/generations ]; then
        find -P /var/lib/picket/definitions/generations -xdev -mindepth 1 -maxdepth 1 -type d -empty -delete
    fi
    folders /var/lib/picket/definitions/incoming /var/lib/picket/definitions/generations /var/lib/picket/definitions
}

purge_state() {
    [ -d /var/lib/picket ] && [ ! -L /var/lib/picket ] || return 0
    files 1 /var/lib/picket 'state.db*' 'settings.json' 'machine-id' 'purge' '.*.tmp'
    files 1 /var/lib/picket/profile '*.json' '.*.tmp'
    files 1 /var/lib/picket/quarantine '*.data' '*.json' '.*.tmp'
    files 1 /var/lib/picket/selftest '*'
    files 1 /var/lib/picket/metrics 'picket.prom' '.picket.prom.tmp'
    installer_runs || files 1 /var/lib/picket/install '*'
    installer_runs || files 1 /var/lib/picket/install/packages '*'
    folders /var/lib/picket/install/packages
    purge_definitions
    folders /var/lib/picket/profile /var/lib/picket/quarantine /var/lib/picket/selftest /var/lib/picket/metrics /var/lib/picket/install /var/lib/picket
}

purge_configuration() {
    [ -d /etc/picket ] && [ ! -L /etc/picket ] || return 0
    files 1 /etc/picket 'onboarding.json' 'enrolment.token' 'organisation.pub' 'tags.json' '.*.tmp'
    files 1 /etc/picket/managed.d '*.json' '.*.tmp'
    folders /etc/picket/managed.d /etc/picket
}

# What a running Picket has in /run.
remove_runtime() {
    for socket in control engine guard remedy definitions link; do
        [ ! -S /run/picket/$socket.sock ] || rm -f /run/picket/$socket.sock
    done
    files 1 /run/picket guard.json supervisor.lock supervisor.pid
    mountpoint -q /run/picket/engine-tmp || folders /run/picket/engine-tmp /run/picket
}

remove_user() {
    for user in picket-engine picket-net; do
        ! getent passwd $user >/dev/null || userdel $user || true
        ! getent group $user >/dev/null || groupdel $user || true
    done
}

purge() {
    purge_state
    purge_configuration
    files 1 /var/log/picket '*.log' '*.log.*'
    folders /var/log/picket
    remove_user
}
