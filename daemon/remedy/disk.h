#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/stat.h>

#include <picket/base/bytes.h>
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::remedy {

enum class IfTaken { refuse, replace };

/// Every change that remedy makes to a disk, and every look that decides about one: the seam at which the tests cut the
/// power or fill the disk at the n-th call. Errors carry errno; what fails has changed nothing.
/// One thread.
class Disk {
  public:
    virtual ~Disk() = default;

    /// O_NOFOLLOW and O_CLOEXEC are added.
    virtual Result<UniqueFd> open_at(int directory, const std::string& name, int flags, mode_t mode = 0);
    /// Never follows a link.
    virtual Result<struct stat> status_at(int directory, const std::string& name);
    virtual Result<struct stat> status_of(int fd);
    /// Fewer bytes than asked for only at the end of the file.
    virtual Result<std::size_t> read_at(int fd, Byte* into, std::size_t length, std::uint64_t offset);
    virtual Result<void> write(int fd, ByteSpan bytes);
    virtual Result<void> sync(int fd);
    /// Syncs a directory that may have been opened with O_PATH. A file system that cannot is no error.
    virtual Result<void> sync_directory(int directory);
    /// Inside one directory. With `refuse` a taken name is conflict (EEXIST); where neither kernel nor file system can
    /// do that in one step, a hard link and an unlink do, and where there are no hard links (vfat before 4.x) a look
    /// goes before a plain rename.
    virtual Result<void> rename_at(int directory, const std::string& from, const std::string& to, IfTaken if_taken);
    /// Never a directory.
    virtual Result<void> unlink_at(int directory, const std::string& name);
    virtual Result<void> set_attributes(int fd, mode_t mode, const timespec& modified);
    /// What an ordinary user may still write there.
    virtual Result<Bytes> space_at(int directory);
};

} // namespace picket::remedy
