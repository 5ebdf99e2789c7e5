#include <picket/host/fanotify_users.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/fanotify.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <picket/base/text.h>

#include "root_links.h"

#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x00040000
#endif

namespace picket::host {
namespace {

constexpr Bytes kFdinfoLimit = mebibytes(4); // 40,000 inode marks; what is behind them changes no answer
constexpr std::size_t kTargetsNamed = 3;
constexpr std::uint32_t kPermissionMask = FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM;
constexpr std::string_view kFanotifyLink = "anon_inode:[fanotify]";
constexpr std::string_view kOurGate = "/usr/sbin/picketd";

std::optional<std::uint64_t> parse_hexadecimal(std::string_view text) {
    std::uint64_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    if (error != std::errc() || stop != text.data() + text.size())
        return std::nullopt;
    return number;
}

/// The kernel prints its own dev_t: 12 bits of major above 20 bits of minor.
dev_t device_from_kernel(std::uint64_t number) {
    return makedev(static_cast<unsigned>(number >> 20), static_cast<unsigned>(number & 0xfffff));
}

void take_field(FanotifyMark& mark, std::string_view key, std::uint64_t value) {
    if (key == "mnt_id")
        mark.mount_id = static_cast<int>(value);
    else if (key == "sdev")
        mark.device = device_from_kernel(value);
    else if (key == "ino")
        mark.inode = value;
    else if (key == "mask")
        mark.mask = static_cast<std::uint32_t>(value);
}

/// Reads as much as the limit allows: a longer file is no reason to miss the marks at its front.
std::string read_front(int directory, const char* name, Bytes limit) {
    const UniqueFd file(openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    std::string text;
    while (file && text.size() < limit.count) {
        const std::size_t before = text.size();
        text.resize(before + 65536);
        const ssize_t got = read(file.get(), text.data() + before, 65536);
        text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got <= 0)
            break;
    }
    return text;
}

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;
Directory open_directory(int parent, const char* name) {
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    Directory directory(fd < 0 ? nullptr : fdopendir(fd), closedir);
    if (fd >= 0 && !directory)
        close(fd);
    return directory;
}

/// Numbers of the descriptors that are fanotify groups: one readlink each, which is all that an ordinary process costs.
std::vector<std::string> fanotify_descriptors(DIR* descriptors) {
    std::vector<std::string> found;
    while (const dirent* entry = readdir(descriptors))
        if (entry->d_name[0] != '.' && read_link_at(dirfd(descriptors), entry->d_name) == kFanotifyLink)
            found.emplace_back(entry->d_name);
    return found;
}

std::vector<FanotifyMark> permission_marks(int process, const std::vector<std::string>& descriptors) {
    std::vector<FanotifyMark> marks;
    const Directory fdinfo = open_directory(process, "fdinfo");
    for (const std::string& descriptor : descriptors) {
        if (!fdinfo)
            break;
        for (const FanotifyMark& mark :
             parse_fanotify_fdinfo(read_front(dirfd(fdinfo.get()), descriptor.c_str(), kFdinfoLimit)))
            if (mark.asks_permission())
                marks.push_back(mark);
    }
    return marks;
}

std::string program_of(int process) {
    std::string program = read_link_at(process, "exe");
    constexpr std::string_view kDeleted = " (deleted)"; // an upgrade replaced it meanwhile
    if (program.size() > kDeleted.size() &&
        program.compare(program.size() - kDeleted.size(), kDeleted.size(), kDeleted) == 0)
        program.resize(program.size() - kDeleted.size());
    if (program.empty()) // a kernel thread, or it may not be asked
        program = std::string(trim(read_front(process, "comm", kibibytes(1))));
    return program;
}

using Mounts = std::vector<sys::Mount>;
template <typename Predicate>
std::optional<std::string> mount_point(const Mounts& theirs, const Mounts& ours, Predicate fits) {
    for (const Mounts* mounts : {&theirs, &ours}) {
        const auto mount = std::find_if(mounts->begin(), mounts->end(), fits);
        if (mount != mounts->end())
            return escape_for_display(mount->mount_point);
    }
    return std::nullopt;
}

std::string target_of(const FanotifyMark& mark, const Mounts& theirs, const Mounts& ours) {
    if (mark.mount_id) {
        const auto at = mount_point(theirs, ours, [&](const sys::Mount& m) { return m.id == *mark.mount_id; });
        return at ? "mount " + *at : fmt::format("mount number {}", *mark.mount_id);
    }
    const dev_t device = mark.device.value_or(0);
    const auto at = mount_point(theirs, ours, [&](const sys::Mount& m) { return makedev(m.major, m.minor) == device; });
    const std::string place = at ? *at : fmt::format("device {}:{}", major(device), minor(device));
    return mark.inode ? fmt::format("inode {} on {}", *mark.inode, place) : fmt::format("file system of {}", place);
}

FanotifyUser describe_user(pid_t pid, int process, const std::string& program, const std::vector<FanotifyMark>& marks,
                           const Mounts& ours) {
    const Mounts theirs = sys::parse_mountinfo(read_front(process, "mountinfo", mebibytes(4)));
    FanotifyUser user{.pid = pid, .program = escape_for_display(program), .target_count = marks.size()};
    for (const FanotifyMark& mark : marks) {
        if (user.targets.size() == kTargetsNamed)
            break;
        user.targets.push_back(target_of(mark, theirs, ours));
    }
    return user;
}

void inspect(int proc, const std::string& number, pid_t pid, const Mounts& mounts, FanotifyUsers& result) {
    const UniqueFd process(openat(proc, number.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!process)
        return; // it ended meanwhile
    const Directory descriptors = open_directory(process.get(), "fd");
    if (!descriptors) {
        result.unreadable += errno == EACCES || errno == EPERM ? 1U : 0U;
        return;
    }
    const auto groups = fanotify_descriptors(descriptors.get());
    if (groups.empty())
        return;
    const auto marks = permission_marks(process.get(), groups);
    const std::string program = program_of(process.get());
    if (!marks.empty() && program != kOurGate)
        result.users.push_back(describe_user(pid, process.get(), program, marks, mounts));
}

} // namespace

bool FanotifyMark::asks_permission() const {
    return (mask & kPermissionMask) != 0;
}

std::vector<FanotifyMark> parse_fanotify_fdinfo(std::string_view text) {
    std::vector<FanotifyMark> marks;
    for (const std::string_view line : split(text, '\n')) {
        const auto words = split(trim(line), ' ');
        if (words.front() != "fanotify")
            continue;
        FanotifyMark mark;
        for (const std::string_view word : words) {
            const std::size_t colon = word.find(':');
            const auto value =
                colon == std::string_view::npos ? std::nullopt : parse_hexadecimal(word.substr(colon + 1));
            if (value)
                take_field(mark, word.substr(0, colon), *value);
        }
        if (mark.mount_id || mark.device)
            marks.push_back(mark);
    }
    return marks;
}

std::string FanotifyUser::describe() const {
    const std::size_t more = target_count - targets.size();
    return fmt::format("{} (pid {}): {}{}", program, pid, fmt::join(targets, ", "),
                       more > 0 ? fmt::format(" and {} more", more) : "");
}

Result<FanotifyUsers> find_fanotify_users(const sys::Root& root, const std::vector<sys::Mount>& mounts) {
    const UniqueFd proc = PICKET_TRY(root.open_file("/proc", O_RDONLY | O_DIRECTORY));
    const Directory processes = open_directory(proc.get(), ".");
    if (!processes)
        return Error::from_errno(errno, "open /proc");
    FanotifyUsers result;
    while (const dirent* entry = readdir(processes.get())) {
        const auto pid = parse_unsigned(entry->d_name);
        if (pid && *pid <= 0x7fffffff)
            inspect(proc.get(), entry->d_name, static_cast<pid_t>(*pid), mounts, result);
    }
    std::sort(result.users.begin(), result.users.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });
    return result;
}

} // namespace picket::host
