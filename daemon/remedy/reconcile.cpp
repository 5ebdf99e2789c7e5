#include <cerrno>
#include <fcntl.h>

#include "acting_as.h"
#include "content.h"
#include "removal.h"
#include "vault.h"

/// The start-up pass: what a crash left half done is finished or undone, and never at the price of the only copy.
namespace picket::remedy {
namespace {

/// The gate may deny us to open a malicious file; device, inode, size and time then have to do.
bool same_content(Disk& disk, const Place& place, const std::string& name, const Entry& entry) {
    const auto status = disk.status_at(place.directory.get(), name);
    if (!status || !S_ISREG(status->st_mode) || !entry.identity.same_content_time(*status))
        return false;
    const auto fd = disk.open_at(place.directory.get(), name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!fd)
        return fd.error().code() == ErrorCode::permission;
    const auto digest = digest_of(disk, fd->get(), entry.identity.size_bytes);
    return digest && *digest == entry.sha256;
}

bool is_judged(Disk& disk, const Place& place, const std::string& name, const Entry& entry) {
    const auto status = disk.status_at(place.directory.get(), name);
    if (!status || !entry.identity.same_file(*status) || !same_content(disk, place, name, entry))
        return false;
    const auto fd = disk.open_at(place.directory.get(), name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    return !fd || generation_of(fd->get()) == entry.identity.generation;
}

bool exists(Disk& disk, const Place& place, const std::string& name) {
    return disk.status_at(place.directory.get(), name).has_value();
}

} // namespace

Result<void> Vault::reconcile() {
    for (const std::string& name : PICKET_TRY(index_.leftovers()))
        if (index_.remove_leftover(name))
            ++reconciled_.leftovers_removed;
    for (const std::string& id : index_.ids()) {
        auto entry = index_.load(id);
        if (!entry || !reconcile_entry(std::move(*entry)))
            ++reconciled_.undecided;
    }
    return {};
}

Result<void> Vault::reconcile_entry(Entry entry) {
    switch (entry.state) {
    case EntryState::complete:
        return {};
    case EntryState::copied:
        return reconcile_copied(std::move(entry));
    case EntryState::restoring:
        return reconcile_restoring(std::move(entry));
    }
    return {};
}

Result<void> Vault::reconcile_copied(Entry entry) {
    const UniqueFd data = PICKET_TRY(index_.open_data(entry.id));
    const auto sound = unseal(disk_, data.get(), entry, -1);
    const Place place = PICKET_TRY(find_place(root_.get(), entry.path));
    const auto complete = [&]() -> Result<void> {
        ++reconciled_.removals_finished;
        entry.state = EntryState::complete;
        return index_.save(entry);
    };
    if (exists(disk_, place, entry.removal_name)) {
        if (sound && is_judged(disk_, place, entry.removal_name, entry)) {
            PICKET_TRY(disk_.unlink_at(place.directory.get(), entry.removal_name));
            PICKET_TRY(disk_.sync_directory(place.directory.get()));
            return complete();
        }
        PICKET_TRY(put_back(disk_, place.directory.get(), entry.removal_name, place.name));
    }
    const auto named = disk_.status_at(place.directory.get(), place.name);
    if (!named && named.error().errno_value() != ENOENT)
        return named.error();
    if (!named || !entry.identity.same_file(*named))
        return complete(); // unlinked before the power went, or moved away since: ours may be the only copy
    if (sound && is_judged(disk_, place, place.name, entry) &&
        remove_judged(disk_, place, entry.removal_name, entry.identity, -1))
        return complete();
    ++reconciled_.copies_dropped;
    return index_.drop(entry.id);
}

Result<void> Vault::reconcile_restoring(Entry entry) {
    const auto undo = [&]() -> Result<void> {
        ++reconciled_.restores_undone;
        entry.state = EntryState::complete;
        entry.restore_path.clear();
        entry.restore_name.clear();
        return index_.save(entry);
    };
    const auto finished = [&]() -> Result<bool> {
        const ActingAs owner = PICKET_TRY(ActingAs::user(entry.uid, entry.gid));
        const auto place = find_place(root_.get(), entry.restore_path);
        if (!place)
            return false;
        const auto temporary = disk_.status_at(place->directory.get(), entry.restore_name);
        const auto named = disk_.status_at(place->directory.get(), place->name);
        // Both names on one file: the power went between the link and the unlink of an old kernel's rename.
        const bool linked =
            temporary && named && temporary->st_ino == named->st_ino && temporary->st_dev == named->st_dev;
        if (temporary && S_ISREG(temporary->st_mode) && temporary->st_uid == entry.uid)
            PICKET_TRY(disk_.unlink_at(place->directory.get(), entry.restore_name));
        return named && named->st_uid == entry.uid && (linked || !temporary) &&
               same_content(disk_, *place, place->name, entry);
    }();
    if (!finished)
        return finished.error();
    if (!*finished)
        return undo();
    ++reconciled_.restores_finished;
    return index_.drop(entry.id);
}

} // namespace picket::remedy
