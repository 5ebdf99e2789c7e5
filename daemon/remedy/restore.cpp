#include <cerrno>
#include <fcntl.h>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "acting_as.h"
#include "content.h"
#include "vault.h"
#include "walk.h"

namespace picket::remedy {

Result<RestoreOutcome> Vault::restore(const RestoreRequest& request) {
    if (!is_entry_id(request.id))
        return Error(ErrorCode::not_found,
                     fmt::format("nothing in quarantine has the id '{}'", escape_for_display(request.id)));
    auto loaded = index_.load(request.id);
    if (!loaded)
        return loaded.error().errno_value() == ENOENT
                   ? Error(ErrorCode::not_found, fmt::format("nothing in quarantine has the id '{}'", request.id))
                   : loaded.error();
    const Entry before = std::move(*loaded);
    Entry entry = before;
    entry.restore_path = request.destination.empty() ? entry.path : request.destination;
    entry.restore_name = random_name("picket-restore-");
    PICKET_TRY(check_destination(entry, request.overwrite));
    entry.state = EntryState::restoring;
    PICKET_TRY(index_.save(entry));
    const auto placed = place_content(entry, request.overwrite);
    if (!placed) {
        undo_restore(before);
        return placed.error().with_context(escape_for_display(entry.restore_path));
    }
    if (const auto sure = confirm(*placed); !sure) {
        // Somebody moved it: ours stays. The disk would not answer: the next start sees which of the two is true.
        if (sure.error().code() == ErrorCode::conflict)
            undo_restore(before);
        return sure.error().with_context(
            fmt::format("{} was restored, but the vault keeps its copy", escape_for_display(entry.restore_path)));
    }
    (void)index_.drop(entry.id); // where this fails, the next start sees the restored file and drops it
    return RestoreOutcome{entry.restore_path, entry.sha256};
}

/// The refusals that are known beforehand. The kernel checks again when it happens.
Result<void> Vault::check_destination(const Entry& entry, bool overwrite) const {
    const ActingAs owner = PICKET_TRY(ActingAs::user(entry.uid, entry.gid));
    const Place place = PICKET_TRY(find_place(root_.get(), entry.restore_path));
    const auto taken = disk_.status_at(place.directory.get(), place.name);
    if (!taken)
        return taken.error().errno_value() == ENOENT ? Result<void>() : taken.error();
    const std::string shown = escape_for_display(entry.restore_path);
    if (!overwrite)
        return Error(ErrorCode::conflict, fmt::format("{} exists; name another destination or overwrite it", shown));
    if (!S_ISREG(taken->st_mode) || taken->st_uid != entry.uid)
        return Error(ErrorCode::conflict,
                     fmt::format("{} is not a regular file of uid {}: it is not overwritten", shown, entry.uid));
    return {};
}

Result<Vault::Placed> Vault::place_content(const Entry& entry, bool overwrite) {
    const UniqueFd source = PICKET_TRY(index_.open_data(entry.id));
    const ActingAs owner = PICKET_TRY(ActingAs::user(entry.uid, entry.gid));
    Placed placed{PICKET_TRY(find_place(root_.get(), entry.restore_path)), {}};
    const int directory = placed.place.directory.get();
    const UniqueFd target = PICKET_TRY(disk_.open_at(directory, entry.restore_name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    const auto fill = [&]() -> Result<void> {
        PICKET_TRY(unseal(disk_, source.get(), entry, target.get()));
        PICKET_TRY(disk_.set_attributes(target.get(), entry.mode & 0777, entry.identity.modified));
        PICKET_TRY(disk_.sync(target.get()));
        placed.status = PICKET_TRY(disk_.status_of(target.get()));
        return disk_.rename_at(directory, entry.restore_name, placed.place.name,
                               overwrite ? IfTaken::replace : IfTaken::refuse);
    };
    if (const auto filled = fill(); !filled) {
        (void)disk_.unlink_at(directory, entry.restore_name);
        return filled.error();
    }
    return placed;
}

/// As root: its owner may be allowed to write into a directory that it may not read, and only a readable one is synced.
Result<void> Vault::confirm(const Placed& placed) {
    const int directory = placed.place.directory.get();
    PICKET_TRY(disk_.sync_directory(directory));
    const auto named = disk_.status_at(directory, placed.place.name);
    if (!named && named.error().errno_value() != ENOENT)
        return named.error();
    if (!named || named->st_dev != placed.status.st_dev || named->st_ino != placed.status.st_ino)
        return Error(ErrorCode::conflict, "somebody moved the restored file at once");
    return {};
}

/// Puts the entry back to what it was before the attempt.
void Vault::undo_restore(Entry before) {
    if (before.state == EntryState::restoring)
        before.state = EntryState::complete;
    before.restore_path.clear();
    before.restore_name.clear();
    (void)index_.save(before); // where this fails, the next start undoes it
}

} // namespace picket::remedy
