#!/usr/bin/env bash
# The day of a build is that of its source (cmake/BuildDate.cmake), and the same one touches nothing.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lab/assert.sh
command -v git >/dev/null || skip "git is not installed"
scratch=$(mktemp -d)
trap 'rm -rf -- "${scratch:?}"' EXIT
unset SOURCE_DATE_EPOCH
day=1795824000 # 2026-11-28

# built_at SOURCE: the day that is written for it
built_at() {
  cmake -D "SOURCE=$1" -D "OUTPUT=$scratch/build_date.h" -P cmake/BuildDate.cmake && sed -n 's/.*"\(.*\)"/\1/p' "$scratch/build_date.h"
}

mkdir "$scratch/archive" "$scratch/checkout"
touch -d "@$((day + 40000))" "$scratch/archive/CHANGELOG.md"
export GIT_CEILING_DIRECTORIES=$scratch
check_equal "an unpacked archive: CHANGELOG.md" "$(built_at "$scratch/archive")" $day
touch -d @1000000000 "$scratch/build_date.h"
check_equal "the same day" "$(built_at "$scratch/archive")" $day
check_equal "touches nothing" "$(stat -c %Y "$scratch/build_date.h")" 1000000000

git -C "$scratch/checkout" init -q
touch "$scratch/checkout/CHANGELOG.md"
git -C "$scratch/checkout" add CHANGELOG.md
GIT_COMMITTER_DATE="$((day - 86400 + 7)) +0000" git -C "$scratch/checkout" -c user.name=t -c user.email=t@example.org commit -qm first
check_equal "a checkout: the last commit" "$(built_at "$scratch/checkout")" $((day - 86400))
check_equal "SOURCE_DATE_EPOCH counts before both" "$(SOURCE_DATE_EPOCH=86405 built_at "$scratch/checkout")" 86400
exit "$ASSERT_FAILED"
