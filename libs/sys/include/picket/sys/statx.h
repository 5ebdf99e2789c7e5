#pragma once
#include <cstdint>
#include <sys/stat.h>

/// statx(2), which tells what the kernel remembers of a file without asking the file's server: a server that does not
/// answer holds up whoever uses stat(2), for good. By hand: the oldest headers that we are built with lack it.
namespace picket::sys {

struct StatxTimestamp {
    std::int64_t seconds;
    std::uint32_t nanoseconds;
    std::int32_t reserved;
};
struct Statx {
    std::uint32_t mask, block_size;
    std::uint64_t attributes;
    std::uint32_t links, uid, gid;
    std::uint16_t mode, spare0;
    std::uint64_t inode, size, blocks, attributes_mask;
    StatxTimestamp access, birth, change, modification;
    std::uint32_t rdev_major, rdev_minor, device_major, device_minor;
    std::uint64_t mount_id;
    std::uint64_t spare[13];
};
static_assert(sizeof(Statx) == 256);

inline constexpr unsigned kStatxBasicStats = 0x7ff;
inline constexpr unsigned kStatxMountId = 0x1000; ///< since 5.8

/// As remembered: of `fd` itself. False before Linux 4.11, where another way has to do.
bool statx_remembered(int fd, unsigned mask, Statx& found);
/// Of the entry `name` of a directory, which may be a mount point; follows no link. Where there is no statx, stat(2) is
/// asked. False, with errno, where it fails.
bool stat_remembered(int directory, const char* name, struct stat& status);
/// Likewise of a descriptor.
bool stat_remembered(int fd, struct stat& status);

} // namespace picket::sys
