#include "disk.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::remedy {
namespace {

constexpr unsigned kRenameNoReplace = 1; // RENAME_NOREPLACE, Linux 3.15

Error error_on(std::string_view what, const std::string& name) {
    return Error::from_errno(errno, fmt::format("{} {}", what, escape_for_display(name)));
}

/// True where the kernel or the file system does not know RENAME_NOREPLACE, as opposed to refusing this rename.
bool lacks_no_replace(int errno_value) {
    return errno_value == ENOSYS || errno_value == EINVAL;
}

Result<void> rename_without_replacing(int directory, const std::string& from, const std::string& to) {
    if (linkat(directory, from.c_str(), directory, to.c_str(), 0) == 0) {
        if (unlinkat(directory, from.c_str(), 0) != 0)
            return error_on("unlink", from);
        return {};
    }
    if (errno == EEXIST)
        return error_on("rename to", to);
    struct stat taken {};
    if (fstatat(directory, to.c_str(), &taken, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return error_on("rename to", to);
    }
    if (errno != ENOENT || renameat(directory, from.c_str(), directory, to.c_str()) != 0)
        return error_on("rename", from);
    return {};
}

} // namespace

Result<UniqueFd> Disk::open_at(int directory, const std::string& name, int flags, mode_t mode) {
    UniqueFd fd(openat(directory, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!fd)
        return error_on("open", name);
    return fd;
}

Result<struct stat> Disk::status_at(int directory, const std::string& name) {
    struct stat status {};
    if (fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return error_on("stat", name);
    return status;
}

Result<struct stat> Disk::status_of(int fd) {
    struct stat status {};
    if (fstat(fd, &status) != 0)
        return Error::from_errno(errno, "stat of a descriptor");
    return status;
}

Result<std::size_t> Disk::read_at(int fd, Byte* into, std::size_t length, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < length) {
        const ssize_t got = pread(fd, into + done, length - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return Error::from_errno(errno, "read");
        if (got == 0)
            break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Result<void> Disk::write(int fd, ByteSpan bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return Error::from_errno(errno, "write");
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
}

Result<void> Disk::sync(int fd) {
    if (fsync(fd) != 0)
        return Error::from_errno(errno, "fsync");
    return {};
}

Result<void> Disk::sync_directory(int directory) {
    const UniqueFd readable(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable)
        return Error::from_errno(errno, "open directory");
    if (fsync(readable.get()) != 0 && errno != EINVAL && errno != EROFS)
        return Error::from_errno(errno, "fsync directory");
    return {};
}

Result<void> Disk::rename_at(int directory, const std::string& from, const std::string& to, IfTaken if_taken) {
    if (if_taken == IfTaken::replace) {
        if (renameat(directory, from.c_str(), directory, to.c_str()) != 0)
            return error_on("rename", from);
        return {};
    }
    if (syscall(__NR_renameat2, directory, from.c_str(), directory, to.c_str(), kRenameNoReplace) == 0)
        return {};
    if (lacks_no_replace(errno))
        return rename_without_replacing(directory, from, to);
    return error_on("rename", from);
}

Result<void> Disk::unlink_at(int directory, const std::string& name) {
    if (unlinkat(directory, name.c_str(), 0) != 0)
        return error_on("unlink", name);
    return {};
}

Result<void> Disk::set_attributes(int fd, mode_t mode, const timespec& modified) {
    const timespec times[2] = {{0, UTIME_OMIT}, modified};
    if (fchmod(fd, mode) != 0)
        return Error::from_errno(errno, "chmod");
    if (futimens(fd, times) != 0)
        return Error::from_errno(errno, "set times");
    return {};
}

Result<Bytes> Disk::space_at(int directory) {
    struct statvfs status {};
    if (fstatvfs(directory, &status) != 0)
        return Error::from_errno(errno, "statvfs");
    return Bytes{static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize};
}

} // namespace picket::remedy
