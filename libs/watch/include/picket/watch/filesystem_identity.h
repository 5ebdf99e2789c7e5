#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/result.h>
#include <picket/sys/mounts.h>

namespace picket::watch {

/// What makes a file system, seen again later, the same one, and shows whether anybody else has had it in between.
struct FilesystemIdentity {
    std::string type;                    ///< ext2, ext3, ext4, xfs, btrfs
    std::array<std::uint8_t, 16> uuid{}; ///< of the file system
    std::uint64_t subvolume = 0;         ///< btrfs: id of the mounted one
    std::uint64_t device = 0;            ///< st_dev of its files, for as long as it stays mounted
    int mount_id = 0;                    ///< in the host's mountinfo
    std::optional<std::uint16_t> mounts; ///< ext2, 3, 4: how often it was mounted for writing, as it counts itself
    bool read_only = false;
    bool operator==(const FilesystemIdentity&) const = default;
};

/// The file systems whose media only root can bring, and change while they are not mounted: fixed disks, what the
/// device mapper and md make of them, and images that only root may write. Of two that call themselves the same neither
/// is given. Opens the mount points: may hang where a disk does, so not on a thread that others wait for.
std::vector<FilesystemIdentity> identify_filesystems(const std::vector<sys::Mount>& mounts);

/// Whether `now` is `then`, and nobody but this kernel can have changed it meanwhile. In one boot: the same mount,
/// still mounted. After a reboot: the file system's own count says that it was mounted once since, by us; those that do
/// not count (xfs, btrfs) prove nothing.
bool is_continued(const FilesystemIdentity& then, const FilesystemIdentity& now, bool same_boot);

/// Whether only root can bring and change the medium of a block device ("8:1"). `sysfs`: "/sys", or a tree like it.
bool is_fixed_medium(const std::string& sysfs, unsigned major, unsigned minor, unsigned depth = 0);

/// What a first kilobyte of a file system of ext2, 3 or 4 says (from offset 1024); nothing where it is none.
struct ExtSuperblock {
    std::array<std::uint8_t, 16> uuid{};
    std::uint16_t mounts = 0;
};
std::optional<ExtSuperblock> parse_ext_superblock(const std::string& bytes);

} // namespace picket::watch
