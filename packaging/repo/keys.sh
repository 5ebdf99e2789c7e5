# shellcheck shell=bash disable=SC2034 # who sources it reads what is set here
# The keys that sign the repositories: OpenPGP, RSA (rpm 4.11 knows nothing newer), made at first use beside the release
# keys, outside of the tree. Two of them: one signs, the next one is published with it, so that hosts trust it before it
# is needed. Sourced, after packaging/release_keys.sh.

ARCHIVE_KEYS=$PICKET_RELEASE_KEYS/archive

archive_gpg() { GNUPGHOME=$ARCHIVE_KEYS gpg --batch --quiet --no-tty --pinentry-mode loopback --passphrase '' "$@"; }
archive_end() { [ ! -d "$ARCHIVE_KEYS" ] || GNUPGHOME=$ARCHIVE_KEYS gpgconf --kill all >/dev/null 2>&1 || true; }

# new_archive_key: makes one; prints its fingerprint
new_archive_key() {
  local before
  before=$(archive_fingerprints)
  archive_gpg --yes --quick-generate-key "Picket archive signing key $(date -u +%Y-%m-%d) <picket@example.org>" rsa4096 sign never 2>/dev/null
  comm -13 <(printf '%s\n' "$before" | sort) <(archive_fingerprints | sort)
}
archive_fingerprints() { archive_gpg --with-colons --list-secret-keys 2>/dev/null | sed -n '/^sec:/,/^fpr:/ s/^fpr:*\([0-9A-F]*\):$/\1/p'; }

# note_key current|next FINGERPRINT
note_key() { printf '%s\n' "$2" >"$ARCHIVE_KEYS/$1.part" && mv -f "$ARCHIVE_KEYS/$1.part" "$ARCHIVE_KEYS/$1"; }

# ready_archive_keys: sets $current and $next, fingerprints; makes what is not there yet
ready_archive_keys() {
  local role
  (umask 077 && mkdir -p "$ARCHIVE_KEYS")
  chmod 700 "$ARCHIVE_KEYS"
  for role in current next; do
    [ -s "$ARCHIVE_KEYS/$role" ] || note_key $role "$(new_archive_key)"
  done
  current=$(cat "$ARCHIVE_KEYS/current")
  next=$(cat "$ARCHIVE_KEYS/next")
}

# rotate_archive_keys: the next key signs from now on, and a new one is announced. The one before stays in the key
# folder and is published no more.
rotate_archive_keys() {
  local fresh
  ready_archive_keys
  fresh=$(new_archive_key)
  note_key current "$next"
  note_key next "$fresh"
  ready_archive_keys
}
