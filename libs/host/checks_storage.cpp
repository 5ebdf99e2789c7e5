#include <algorithm>
#include <array>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/model/paths.h>

#include "checks.h"
#include "root_links.h"

namespace picket::host {
namespace {

/// File systems that protection is tested on; nfs4 and fuse.NAME are those under other names.
constexpr std::array<std::string_view, 17> kSupportedTypes{"btrfs",    "ecryptfs", "ext2", "ext3", "ext4",    "fuse",
                                                           "fuseblk",  "jfs",      "nfs",  "nfs4", "overlay", "ramfs",
                                                           "reiserfs", "tmpfs",    "udf",  "vfat", "xfs"};

/// A file system that files will land on, and what is to land there.
struct Place {
    std::string paths; ///< "/usr, /etc"
    struct statvfs state {};
    std::uint64_t bytes_needed = 0;
};

std::string join_path(const std::string& before, const std::string& path) {
    return before.empty() ? path : before + ", " + path;
}

/// Where a directory of that name is or would be made, by device.
Result<std::map<dev_t, Place>> places_of(const sys::Root& root, const std::vector<SpaceNeed>& needs) {
    std::map<dev_t, Place> places;
    for (const SpaceNeed& need : needs) {
        const UniqueFd directory =
            PICKET_TRY(root.open_file(nearest_existing_directory(root, need.path), O_RDONLY | O_DIRECTORY));
        struct stat status {};
        struct statvfs state {};
        if (fstat(directory.get(), &status) != 0 || fstatvfs(directory.get(), &state) != 0)
            return Error::from_errno(errno, need.path);
        Place& place = places[status.st_dev];
        place.paths = join_path(place.paths, need.path);
        place.state = state;
        place.bytes_needed += need.bytes.count;
    }
    return places;
}

Bytes available(const struct statvfs& state) {
    return Bytes{static_cast<std::uint64_t>(state.f_bavail) * state.f_frsize};
}

Result<struct statvfs> state_of(const sys::Root& root, std::string_view path) {
    const UniqueFd directory =
        PICKET_TRY(root.open_file(nearest_existing_directory(root, path), O_RDONLY | O_DIRECTORY));
    struct statvfs state {};
    if (fstatvfs(directory.get(), &state) != 0)
        return Error::from_errno(errno, path);
    return state;
}

bool is_supported(std::string_view type) {
    return std::find(kSupportedTypes.begin(), kSupportedTypes.end(), type) != kSupportedTypes.end() ||
           type.rfind("fuse.", 0) == 0;
}

struct MountedTypes {
    std::vector<std::string> covered;
    std::map<std::string, std::pair<std::string, std::size_t>> others; ///< type → first mount point, how many
};
MountedTypes mounted_types(const std::vector<sys::Mount>& mounts) {
    MountedTypes types;
    for (const sys::Mount& mount : mounts) {
        if (sys::is_pseudo_filesystem(mount.type))
            continue;
        if (!is_supported(mount.type)) {
            auto& other = types.others[mount.type];
            if (other.second++ == 0)
                other.first = mount.mount_point;
        } else if (std::find(types.covered.begin(), types.covered.end(), mount.type) == types.covered.end()) {
            types.covered.push_back(mount.type);
        }
    }
    std::sort(types.covered.begin(), types.covered.end());
    return types;
}

} // namespace

std::vector<SpaceNeed> default_space_needs() {
    return {{"/usr", mebibytes(64)}, {"/var/lib", mebibytes(384)}, {"/var/log", mebibytes(32)}, {"/etc", mebibytes(1)}};
}

Answer check_disk_space(const CheckContext& context) {
    const auto places = places_of(context.root(), context.options.space);
    if (!places)
        return {CheckStatus::fail, places.error().message(), "", "make these directories readable"};
    std::string observed;
    std::string required;
    std::string full;
    for (const auto& [device, place] : *places) {
        const Bytes free = available(place.state);
        observed = join_path(observed, fmt::format("{} free for {}", to_human(free), place.paths));
        required = join_path(required, fmt::format("{} for {}", to_human(Bytes{place.bytes_needed}), place.paths));
        if (free.count < place.bytes_needed)
            full = join_path(full, place.paths);
    }
    return {full.empty() ? CheckStatus::pass : CheckStatus::fail, observed, required,
            full.empty() ? "" : fmt::format("free or add space on the file system of {}", full)};
}

Answer check_disk_inodes(const CheckContext& context) {
    const auto places = places_of(context.root(), context.options.space);
    if (!places)
        return {CheckStatus::fail, places.error().message(), "", "make these directories readable"};
    std::string observed;
    std::string full;
    for (const auto& [device, place] : *places) {
        const bool unlimited = place.state.f_files == 0; // btrfs and others make inodes as they need them
        observed = join_path(observed, unlimited ? fmt::format("not limited for {}", place.paths)
                                                 : fmt::format("{} free for {}", place.state.f_favail, place.paths));
        if (!unlimited && place.state.f_favail < context.options.inodes_needed)
            full = join_path(full, place.paths);
    }
    return {full.empty() ? CheckStatus::pass : CheckStatus::fail, observed,
            fmt::format("{} inodes", context.options.inodes_needed),
            full.empty() ? "" : fmt::format("remove files on the file system of {}", full)};
}

Answer check_mount_noexec(const CheckContext& context) {
    if (!context.live)
        return skip_offline();
    // Programs run from /usr, and dpkg runs a package's scripts from its database.
    std::vector<std::string> needed{"/usr"};
    if (context.facts.family == PackageFamily::deb)
        needed.push_back("/var/lib/dpkg");
    const auto is_noexec = [&](const std::string& path) {
        const auto state = state_of(context.root(), path);
        return state && (state->f_flag & ST_NOEXEC) != 0;
    };
    const std::string required = fmt::format("no noexec on {}", join(needed, ", "));
    for (const std::string& path : needed)
        if (is_noexec(path))
            return {CheckStatus::fail, fmt::format("{} is mounted noexec", path), required,
                    fmt::format("mount -o remount,exec the file system of {}, and change /etc/fstab", path)};
    if (is_noexec(paths::kStateDirectory))
        return {CheckStatus::warn, fmt::format("{} is mounted noexec", paths::kStateDirectory), required,
                "nothing is started from there: it may stay so"};
    return {CheckStatus::pass, "no noexec mount in the way", required};
}

Answer check_filesystems(const CheckContext& context) {
    if (!context.live)
        return skip_offline();
    const std::string required =
        "btrfs, ecryptfs, ext2, ext3, ext4, fuse, jfs, nfs, overlay, ramfs, reiserfs, tmpfs, udf, vfat, xfs";
    const MountedTypes types = mounted_types(context.mounts);
    if (types.covered.empty() && types.others.empty())
        return {CheckStatus::warn, "the list of mounts cannot be read", required, "mount /proc"};
    std::string observed = join(types.covered, ", ");
    if (types.others.empty())
        return {CheckStatus::pass, observed, required};
    for (const auto& [type, where] : types.others) {
        observed = join_path(
            observed, fmt::format("not tested: {} on {}", escape_for_display(type), escape_for_display(where.first)));
        if (where.second > 1)
            observed += fmt::format(" and {} more", where.second - 1);
    }
    return {types.covered.empty() ? CheckStatus::fail : CheckStatus::warn, observed, required,
            "what is not tested may be protected or not: picket health shows it"};
}

Answer check_immutable_root(const CheckContext& context) {
    const std::string required = "/usr can be written";
    if (context.live && context.root().exists("/run/ostree-booted"))
        return {
            CheckStatus::fail, "an ostree system: /usr is an image", required,
            "layer the package with rpm-ostree install, or build it into the image, then run picket-installer onboard"};
    const auto state = state_of(context.root(), "/usr");
    if (!state)
        return {CheckStatus::warn, state.error().message(), required, "make /usr readable"};
    if ((state->f_flag & ST_RDONLY) != 0)
        return {CheckStatus::fail, "/usr is mounted read-only", required,
                "remount it read-write, or install within the system's own update (transactional-update)"};
    return {CheckStatus::pass, "/usr can be written", required};
}

} // namespace picket::host
