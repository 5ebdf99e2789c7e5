#include "file_server.h"

#include <algorithm>
#include <string>
#include <sys/sysmacros.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>
#include <picket/sys/mounts.h>
#include <picket/sys/statx.h>

namespace picket::daemon {
namespace {

/// proc(5), fdinfo; -1 where it is not told (before Linux 3.15).
int mount_id_of(int fd) {
    const auto text = sys::read_kernel_file(fmt::format("/proc/self/fdinfo/{}", fd), kibibytes(64));
    if (text)
        for (const std::string_view line : split(*text, '\n'))
            if (constexpr std::string_view kName = "mnt_id:"; line.starts_with(kName))
                return static_cast<int>(parse_unsigned(trim(line.substr(kName.size()))).value_or(0));
    return -1;
}

/// fuse(4): the one who has mounted it.
bool is_a_users(const sys::Mount& mount) {
    return mount.type.starts_with("fuse") && ("," + mount.super_options + ",").find(",user_id=0,") == std::string::npos;
}

} // namespace

FileServer server_of(int fd) {
    const auto mounts = sys::mounts_now();
    if (mounts.empty())
        return FileServer::foreign;
    const int id = mount_id_of(fd);
    struct stat status {};
    if (id < 0 && !sys::stat_remembered(fd, status))
        return FileServer::foreign;
    const auto mount = std::find_if(mounts.begin(), mounts.end(), [&](const sys::Mount& m) {
        return id < 0 ? makedev(m.major, m.minor) == status.st_dev : m.id == id;
    });
    if (mount == mounts.end())
        return id < 0 ? FileServer::none : FileServer::foreign; // a btrfs subvolume has a device of its own
    if (is_a_users(*mount))
        return FileServer::foreign;
    return sys::is_remote_filesystem(mount->type) ? FileServer::administrator : FileServer::none;
}

} // namespace picket::daemon
