#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include <picket/base/result.h>
#include <picket/sys/file.h>
#include <picket/sys/mounts.h>

namespace picket::host {

/// One mark line of /proc/PID/fdinfo/FD. The kernel names exactly one of mount, super block or inode.
struct FanotifyMark {
    std::optional<int> mount_id;
    std::optional<dev_t> device;        ///< of a super block or inode mark, as stat gives it
    std::optional<std::uint64_t> inode; ///< of an inode mark
    std::uint32_t mask = 0;

    bool asks_permission() const;
};

/// Lines of any other form are left out: kernels add some.
std::vector<FanotifyMark> parse_fanotify_fdinfo(std::string_view text);

/// A process that holds marks that may deny an open.
struct FanotifyUser {
    pid_t pid = 0;
    std::string program; ///< its executable, else its short name; escaped for display
    std::vector<std::string>
        targets; ///< what is marked: "mount /home", "file system of /", "inode 12 on /srv"; at most 3
    std::size_t target_count = 0;

    /// "/usr/sbin/fapolicyd (pid 612): mount /, mount /home and 4 more"
    std::string describe() const;
};

struct FanotifyUsers {
    std::vector<FanotifyUser> users;
    std::size_t unreadable = 0; ///< processes whose descriptors could not be looked at
};

/// Every process of `root`'s /proc that holds permission marks, without picketd itself. `mounts` names what is marked
/// in our mount namespace; another process's own mountinfo is asked first.
Result<FanotifyUsers> find_fanotify_users(const sys::Root& root, const std::vector<sys::Mount>& mounts);

} // namespace picket::host
