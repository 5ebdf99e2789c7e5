#include "removal.h"

#include <cerrno>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::remedy {
namespace {

Error another_file(const std::string& name) {
    return Error(ErrorCode::conflict,
                 fmt::format("{} is no longer the file that was judged", escape_for_display(name)));
}

Result<void> still_judged(Disk& disk, int directory, const std::string& name, const FileIdentity& identity,
                          int judged_fd) {
    const auto held = disk.status_at(directory, name);
    if (!held)
        return held.error().errno_value() == ENOENT ? another_file(name) : held.error();
    if (!S_ISREG(held->st_mode) || !identity.same_file(*held) || !identity.same_content_time(*held))
        return another_file(name);
    if (judged_fd >= 0 && !identity.same_content_time(PICKET_TRY(disk.status_of(judged_fd))))
        return another_file(name);
    return {};
}

} // namespace

Result<Place> locate(Disk& disk, int root, const std::string& path, const FileIdentity& identity) {
    Place place = PICKET_TRY(find_place(root, path));
    const struct stat status = PICKET_TRY(disk.status_at(place.directory.get(), place.name));
    if (!identity.same_file(status))
        return another_file(path);
    return place;
}

Result<void> remove_judged(Disk& disk, const Place& place, const std::string& held_name, const FileIdentity& identity,
                           int judged_fd) {
    const int directory = place.directory.get();
    PICKET_TRY(disk.rename_at(directory, place.name, held_name, IfTaken::refuse));
    auto done = still_judged(disk, directory, held_name, identity, judged_fd);
    // Whoever can put another file under held_name now could have removed that file's name without us: no more than a
    // name in a directory of theirs is ever lost.
    if (done)
        done = disk.unlink_at(directory, held_name);
    if (done) {
        (void)disk.sync_directory(directory); // unsynced, the file may come back by a power cut; the next start sees it
        return {};
    }
    if (const auto back = put_back(disk, directory, held_name, place.name);
        !back && back.error().errno_value() != ENOENT)
        return done.error().with_context(
            fmt::format("kept as {} beside {}, whose name is taken", held_name, escape_for_display(place.name)));
    return done;
}

Result<void> put_back(Disk& disk, int directory, const std::string& from, const std::string& to) {
    auto back = disk.rename_at(directory, from, to, IfTaken::refuse);
    if (back)
        (void)disk.sync_directory(directory);
    return back;
}

std::int64_t generation_of(int fd) {
    int generation = 0; // the kernel writes an int, whatever the macro's type says
    return ioctl(fd, FS_IOC_GETVERSION, &generation) == 0 ? static_cast<std::int64_t>(static_cast<unsigned>(generation))
                                                          : -1;
}

} // namespace picket::remedy
