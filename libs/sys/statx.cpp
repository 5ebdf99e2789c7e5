#include <picket/sys/statx.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace picket::sys {
namespace {

constexpr int kAtEmptyPath = 0x1000;
constexpr int kDontSync = 0x4000;

bool ask(int fd, const char* name, int flags, unsigned mask, Statx& found) {
    return syscall(__NR_statx, fd, name, flags | kDontSync, mask, &found) == 0;
}

timespec time_of(const StatxTimestamp& time) {
    timespec result{};
    result.tv_sec = time.seconds;
    result.tv_nsec = time.nanoseconds;
    return result;
}

bool take(const Statx& found, struct stat& status) {
    status = {};
    status.st_dev = makedev(found.device_major, found.device_minor);
    status.st_ino = found.inode;
    status.st_mode = found.mode;
    status.st_nlink = found.links;
    status.st_uid = found.uid;
    status.st_gid = found.gid;
    status.st_size = static_cast<off_t>(found.size);
    status.st_blocks = static_cast<blkcnt_t>(found.blocks);
    status.st_mtim = time_of(found.modification);
    status.st_ctim = time_of(found.change);
    status.st_atim = time_of(found.access);
    return true;
}

bool is_unknown_call() {
    return errno == ENOSYS || errno == EPERM; // EPERM: a container's filter may not know the call
}

} // namespace

bool statx_remembered(int fd, unsigned mask, Statx& found) {
    return ask(fd, "", kAtEmptyPath, mask, found);
}

bool stat_remembered(int directory, const char* name, struct stat& status) {
    Statx found{};
    if (ask(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kStatxBasicStats, found))
        return take(found, status);
    return is_unknown_call() && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

bool stat_remembered(int fd, struct stat& status) {
    Statx found{};
    if (statx_remembered(fd, kStatxBasicStats, found))
        return take(found, status);
    return is_unknown_call() && fstat(fd, &status) == 0;
}

} // namespace picket::sys
