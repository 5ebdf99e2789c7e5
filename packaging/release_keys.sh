# shellcheck shell=bash
# Where the release keys of whoever builds are kept: not in the tree. Sourced.
: "${PICKET_RELEASE_KEYS:=${XDG_DATA_HOME:-${HOME:?}/.local/share}/picket/release-keys}"
export PICKET_RELEASE_KEYS
