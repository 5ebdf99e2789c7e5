#include <picket/watch/file_facts.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <unordered_map>

#include <fmt/format.h>
#include <picket/sys/statx.h>

namespace picket::watch {
namespace {

struct MagicRow {
    std::uint64_t magic;
    FilesystemKind kind;
};
// statfs(2). What is not listed is opaque.
constexpr std::array kMagics{
    MagicRow{0xEF53, FilesystemKind::local},      // ext2, ext3, ext4
    MagicRow{0x58465342, FilesystemKind::local},  // xfs
    MagicRow{0x9123683E, FilesystemKind::local},  // btrfs
    MagicRow{0x01021994, FilesystemKind::local},  // tmpfs
    MagicRow{0x858458f6, FilesystemKind::local},  // ramfs
    MagicRow{0xF2F52010, FilesystemKind::local},  // f2fs
    MagicRow{0x3153464a, FilesystemKind::coarse}, // jfs
    MagicRow{0x52654973, FilesystemKind::coarse}, // reiserfs
    MagicRow{0x4d44, FilesystemKind::coarse},     // vfat
    MagicRow{0x2011BAB0, FilesystemKind::coarse}, // exfat
    MagicRow{0x15013346, FilesystemKind::coarse}, // udf
    MagicRow{0x9660, FilesystemKind::coarse},     // iso9660
    MagicRow{0x73717368, FilesystemKind::coarse}, // squashfs
    MagicRow{0xE0F5E1E2, FilesystemKind::coarse}, // erofs
    MagicRow{0x794c7630, FilesystemKind::overlay},
};

std::int64_t nanoseconds(const sys::StatxTimestamp& time) {
    return time.seconds * 1'000'000'000 + time.nanoseconds;
}
std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void set_ownership(FileFacts& facts, mode_t mode, std::uint64_t links, uid_t owner) {
    facts.regular = S_ISREG(mode);
    facts.deleted = links == 0;
    facts.root_only_writable = owner == 0 && (mode & (S_IWGRP | S_IWOTH)) == 0;
    facts.owner = owner;
}

std::string read_link(const std::string& name) {
    std::array<char, PATH_MAX> target{};
    const ssize_t length = readlink(name.c_str(), target.data(), target.size());
    return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

} // namespace

struct SystemFileInspector::Devices {
    std::unordered_map<std::uint64_t, FilesystemKind> kinds;
};

const unsigned long kGenerationRequest = FS_IOC_GETVERSION;

std::size_t FileKeyHash::operator()(const FileKey& key) const {
    std::uint64_t hash = 0x9E3779B97F4A7C15ULL;
    for (const std::uint64_t part : {key.device, key.inode, key.size, static_cast<std::uint64_t>(key.mtime_ns),
                                     static_cast<std::uint64_t>(key.ctime_ns)}) {
        hash ^= part;
        hash *= 0xBF58476D1CE4E5B9ULL;
        hash ^= hash >> 29;
    }
    return static_cast<std::size_t>(hash);
}

FileKey key_of(const struct stat& status) {
    return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
}

FilesystemKind filesystem_kind(std::uint64_t statfs_magic) {
    const auto row =
        std::find_if(kMagics.begin(), kMagics.end(), [&](const MagicRow& r) { return r.magic == statfs_magic; });
    return row == kMagics.end() ? FilesystemKind::opaque : row->kind;
}

Milliseconds timestamp_grain(FilesystemKind kind) {
    return kind == FilesystemKind::coarse ? Milliseconds(2'000) : Milliseconds(20);
}

SystemFileInspector::SystemFileInspector() : devices_(std::make_unique<Devices>()) {}
SystemFileInspector::~SystemFileInspector() = default;
void SystemFileInspector::forget_filesystems() {
    devices_->kinds.clear();
}

bool SystemFileInspector::facts(int fd, FileFacts& facts) {
    sys::Statx seen{};
    if (sys::statx_remembered(fd, sys::kStatxBasicStats, seen)) { // does not ask a server that may be gone
        facts.key = {makedev(seen.device_major, seen.device_minor), seen.inode, seen.size,
                     nanoseconds(seen.modification), nanoseconds(seen.change)};
        set_ownership(facts, seen.mode, seen.links, seen.uid);
        return true;
    }
    struct stat status {};
    if (fstat(fd, &status) != 0)
        return false;
    facts.key = key_of(status);
    set_ownership(facts, status.st_mode, status.st_nlink, status.st_uid);
    return true;
}

FilesystemKind SystemFileInspector::kind(int fd, const FileFacts& facts) {
    const auto known = devices_->kinds.find(facts.key.device);
    if (known != devices_->kinds.end())
        return known->second;
    struct statfs status {};
    const FilesystemKind kind =
        fstatfs(fd, &status) == 0 ? filesystem_kind(static_cast<std::uint32_t>(status.f_type)) : FilesystemKind::opaque;
    if (devices_->kinds.size() > 10'000)
        devices_->kinds.clear();
    devices_->kinds.emplace(facts.key.device, kind);
    return kind;
}

bool SystemFileInspector::hold_off_writers(int fd) {
    return fcntl(fd, F_SETLEASE, F_RDLCK) == 0; // EAGAIN: somebody writes; anything else: it cannot be said
}

void SystemFileInspector::let_writers_in(int fd) {
    fcntl(fd, F_SETLEASE, F_UNLCK);
}

std::string SystemFileInspector::path(int fd) {
    std::string path = read_link(fmt::format("/proc/self/fd/{}", fd));
    constexpr std::string_view kDeleted = " (deleted)";
    if (path.empty() || path[0] != '/' || (path.size() > kDeleted.size() && path.ends_with(kDeleted)))
        return {};
    return path;
}

int SystemFileInspector::mount_id(int fd) {
    sys::Statx seen{};
    if (sys::statx_remembered(fd, sys::kStatxMountId, seen) && (seen.mask & sys::kStatxMountId) != 0)
        return static_cast<int>(seen.mount_id);
    struct { // struct file_handle with no room: the kernel still says the mount (EOVERFLOW)
        unsigned bytes = 0;
        int type = 0;
    } handle;
    int mount = -1;
    if (syscall(SYS_name_to_handle_at, fd, "", &handle, &mount, AT_EMPTY_PATH) != 0 && errno != EOVERFLOW)
        return -1;
    return mount;
}

std::optional<std::uint32_t> SystemFileInspector::generation(int fd) {
    long value = 0; // the kernel writes an int, whatever the request's number says
    int generation = 0;
    if (ioctl(fd, kGenerationRequest, &value) != 0)
        return std::nullopt;
    std::memcpy(&generation, &value, sizeof generation);
    return static_cast<std::uint32_t>(generation);
}

/// The folder itself belongs to the effective user, also of a process that may not be looked into (proc(5)).
uid_t SystemFileInspector::owner_of(pid_t pid) {
    struct stat status {};
    const bool known = pid > 0 && fstatat(AT_FDCWD, fmt::format("/proc/{}", pid).c_str(), &status, 0) == 0;
    return known ? status.st_uid : kNobody;
}

std::string SystemFileInspector::executable(pid_t pid) {
    return pid > 0 ? read_link(fmt::format("/proc/{}/exe", pid)) : "";
}

} // namespace picket::watch
