#include <picket/watch/filesystem_identity.h>

#include <algorithm>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/sys/file.h>

namespace picket::watch {
namespace {

constexpr off_t kSuperblockOffset = 1'024;
constexpr std::size_t kSuperblockSize = 1'024;

// The kernel's interface, by hand: the oldest headers we are built with lack part of it.
struct XfsGeometry { // xfs_fsop_geom_v1
    std::uint32_t numbers[8];
    std::uint64_t sizes[4];
    std::uint8_t uuid[16];
    std::uint32_t more[7];
};
static_assert(sizeof(XfsGeometry) == 112);
struct BtrfsInfo { // btrfs_ioctl_fs_info_args
    std::uint64_t highest_id, devices;
    std::uint8_t uuid[16];
    std::uint8_t rest[992];
};
static_assert(sizeof(BtrfsInfo) == 1'024);
struct BtrfsLookup { // btrfs_ioctl_ino_lookup_args
    std::uint64_t tree, object;
    char name[4'080];
};
static_assert(sizeof(BtrfsLookup) == 4'096);
constexpr unsigned long kXfsGeometry = _IOR('X', 100, XfsGeometry);
constexpr unsigned long kBtrfsInfo = _IOR(0x94, 31, BtrfsInfo);
constexpr unsigned long kBtrfsLookup = _IOWR(0x94, 18, BtrfsLookup);
constexpr std::uint64_t kBtrfsFirstFree = 256;

bool is_ext(const std::string& type) {
    return type == "ext2" || type == "ext3" || type == "ext4";
}

/// The block device of that number, through the name that devtmpfs gives it.
UniqueFd open_device(unsigned major, unsigned minor) {
    const auto event = sys::read_kernel_file(fmt::format("/sys/dev/block/{}:{}/uevent", major, minor), kibibytes(8));
    if (!event)
        return {};
    for (const std::string_view line : split(*event, '\n')) {
        constexpr std::string_view kName = "DEVNAME=";
        if (!line.starts_with(kName))
            continue;
        UniqueFd device(open(fmt::format("/dev/{}", line.substr(kName.size())).c_str(),
                             O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
        struct stat status {};
        if (device && fstat(device.get(), &status) == 0 && S_ISBLK(status.st_mode) &&
            status.st_rdev == makedev(major, minor))
            return device;
    }
    return {};
}

bool identify_ext(const sys::Mount& mount, FilesystemIdentity& identity) {
    const UniqueFd device = open_device(mount.major, mount.minor);
    std::string bytes(kSuperblockSize, '\0');
    if (!device ||
        pread(device.get(), bytes.data(), bytes.size(), kSuperblockOffset) != static_cast<ssize_t>(bytes.size()))
        return false;
    const auto superblock = parse_ext_superblock(bytes);
    if (!superblock)
        return false;
    identity.uuid = superblock->uuid;
    identity.mounts = superblock->mounts;
    return true;
}

bool identify_xfs(int directory, FilesystemIdentity& identity) {
    XfsGeometry geometry{};
    if (ioctl(directory, kXfsGeometry, &geometry) != 0)
        return false;
    std::copy(std::begin(geometry.uuid), std::end(geometry.uuid), identity.uuid.begin());
    return true;
}

bool are_btrfs_devices_fixed(const std::array<std::uint8_t, 16>& uuid) {
    std::string text;
    for (std::size_t i = 0; i < uuid.size(); ++i)
        text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    const auto root = sys::Root::open("/sys/fs/btrfs/" + text + "/devices");
    const auto names = root ? root->list("/", 1'024) : Result<std::vector<std::string>>(root.error());
    if (!names || names->empty())
        return false;
    return std::all_of(names->begin(), names->end(), [](const std::string& name) {
        const auto numbers = sys::read_kernel_file("/sys/class/block/" + name + "/dev", kibibytes(1));
        const auto parts = numbers ? split(trim(*numbers), ':') : std::vector<std::string_view>();
        const auto major = parts.size() == 2 ? parse_unsigned(parts[0]) : std::nullopt;
        const auto minor = parts.size() == 2 ? parse_unsigned(parts[1]) : std::nullopt;
        return major && minor && is_fixed_medium("/sys", static_cast<unsigned>(*major), static_cast<unsigned>(*minor));
    });
}

bool identify_btrfs(int directory, FilesystemIdentity& identity) {
    BtrfsInfo info{};
    BtrfsLookup lookup{};
    lookup.object = kBtrfsFirstFree; // with tree 0: which tree is this descriptor in?
    if (ioctl(directory, kBtrfsInfo, &info) != 0 || ioctl(directory, kBtrfsLookup, &lookup) != 0)
        return false;
    std::copy(std::begin(info.uuid), std::end(info.uuid), identity.uuid.begin());
    identity.subvolume = lookup.tree;
    return are_btrfs_devices_fixed(identity.uuid);
}

std::optional<FilesystemIdentity> identify(const sys::Mount& mount) {
    const bool is_btrfs = mount.type == "btrfs";
    if (!is_ext(mount.type) && mount.type != "xfs" && !is_btrfs)
        return std::nullopt;
    if (!is_btrfs && !is_fixed_medium("/sys", mount.major, mount.minor))
        return std::nullopt;
    const UniqueFd directory(
        open(mount.mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!directory || fstat(directory.get(), &status) != 0 ||
        (!is_btrfs && status.st_dev != makedev(mount.major, mount.minor)))
        return std::nullopt; // something else was mounted over it
    FilesystemIdentity identity;
    identity.type = mount.type;
    identity.device = status.st_dev;
    identity.mount_id = mount.id;
    identity.read_only = split(mount.super_options, ',').front() == "ro";
    const bool known = is_ext(mount.type) ? identify_ext(mount, identity)
                       : is_btrfs         ? identify_btrfs(directory.get(), identity)
                                          : identify_xfs(directory.get(), identity);
    return known ? std::optional(identity) : std::nullopt;
}

bool call_themselves_the_same(const FilesystemIdentity& a, const FilesystemIdentity& b) {
    return a.uuid == b.uuid && a.subvolume == b.subvolume;
}

} // namespace

std::optional<ExtSuperblock> parse_ext_superblock(const std::string& bytes) {
    constexpr std::size_t kMounts = 0x34, kMagic = 0x38, kUuid = 0x68;
    if (bytes.size() < kUuid + 16)
        return std::nullopt;
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
    if (byte(kMagic) != 0x53 || byte(kMagic + 1) != 0xEF)
        return std::nullopt;
    ExtSuperblock superblock;
    for (std::size_t i = 0; i < superblock.uuid.size(); ++i)
        superblock.uuid[i] = byte(kUuid + i);
    superblock.mounts = static_cast<std::uint16_t>(byte(kMounts) | byte(kMounts + 1) << 8);
    return superblock;
}

std::vector<FilesystemIdentity> identify_filesystems(const std::vector<sys::Mount>& mounts) {
    constexpr std::size_t kMost = 1'000;
    std::vector<FilesystemIdentity> found;
    for (const sys::Mount& mount : sys::reachable(mounts)) {
        if (found.size() >= kMost)
            break;
        auto identity = identify(mount);
        const auto same_device = [&](const FilesystemIdentity& known) { return known.device == identity->device; };
        if (identity && std::none_of(found.begin(), found.end(), same_device)) // a bind mount shows it once more
            found.push_back(std::move(*identity));
    }
    std::vector<FilesystemIdentity> unique;
    for (const FilesystemIdentity& each : found)
        if (std::count_if(found.begin(), found.end(),
                          [&](const FilesystemIdentity& other) { return call_themselves_the_same(each, other); }) == 1)
            unique.push_back(each);
    return unique;
}

bool is_continued(const FilesystemIdentity& then, const FilesystemIdentity& now, bool same_boot) {
    if (then.type != now.type || !call_themselves_the_same(then, now))
        return false;
    if (same_boot)
        return then.device == now.device && then.mount_id == now.mount_id && then.mounts == now.mounts &&
               then.read_only == now.read_only;
    if (!then.mounts || !now.mounts)
        return false;
    const unsigned by_us = now.read_only ? 0 : 1; // only a mount for writing is counted
    return static_cast<std::uint16_t>(*then.mounts + by_us) == *now.mounts;
}

} // namespace picket::watch
