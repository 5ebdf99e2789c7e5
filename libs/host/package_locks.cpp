#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/host/package_manager.h>
#include <picket/sys/process.h>

#include "root_links.h"

namespace picket::host {
namespace {

constexpr Milliseconds kPause{250};

enum class LockKind { record, pid_file };
struct LockFile {
    const char* path;
    LockKind kind;
};
constexpr std::array<LockFile, 13> kLockFiles{{
    {"/var/lib/dpkg/lock-frontend", LockKind::record},
    {"/var/lib/dpkg/lock", LockKind::record},
    {"/var/lib/apt/lists/lock", LockKind::record},
    {"/var/cache/apt/archives/lock", LockKind::record},
    {"/var/lib/rpm/.rpm.lock", LockKind::record},
    {"/usr/lib/sysimage/rpm/.rpm.lock", LockKind::record},
    {"/run/dnf/rpmtransaction.lock", LockKind::record},
    {"/var/lib/dnf/rpmdb_lock.pid", LockKind::pid_file},
    {"/var/cache/dnf/metadata_lock.pid", LockKind::pid_file},
    {"/var/cache/dnf/download_lock.pid", LockKind::pid_file},
    {"/run/yum.pid", LockKind::pid_file},
    {"/run/zypp.pid", LockKind::pid_file},
    {"/run/tdnf-instance.lock", LockKind::record},
}};

LockHolder holder_of(pid_t pid, const char* path) {
    return {
        .program = pid > 0 ? sys::process_name(pid) : "another process", .pid = std::max(pid, pid_t{0}), .path = path};
}

std::optional<LockHolder> record_lock_holder(const sys::Root& root, const char* path) {
    const auto resolved = resolve_in_root(root, path);
    const auto file =
        resolved ? root.open_file(*resolved, O_RDONLY | O_NONBLOCK | O_NOCTTY) : Result<UniqueFd>(resolved.error());
    if (!file)
        return std::nullopt;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(file->get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return std::nullopt;
    return holder_of(lock.l_pid, path);
}

std::optional<LockHolder> pid_file_holder(const sys::Root& root, const char* path) {
    const auto text = root.is_running_host() ? read_through_links(root, path, kibibytes(1))
                                             : Result<std::string>(Error(ErrorCode::not_found, ""));
    const auto number = text ? parse_unsigned(trim(*text)) : std::nullopt;
    if (!number || *number == 0 || *number > 0x7fffffff)
        return std::nullopt;
    const auto pid = static_cast<pid_t>(*number);
    if (pid == getpid() || (kill(pid, 0) != 0 && errno != EPERM))
        return std::nullopt;
    return holder_of(pid, path);
}

} // namespace

std::string LockHolder::describe() const {
    return pid > 0 ? fmt::format("{} (pid {}) holds {}", program, pid, path)
                   : fmt::format("{} holds {}", program, path);
}

std::optional<LockHolder> find_package_manager_lock(const sys::Root& root) {
    for (const LockFile& file : kLockFiles) {
        auto holder =
            file.kind == LockKind::record ? record_lock_holder(root, file.path) : pid_file_holder(root, file.path);
        if (holder)
            return holder;
    }
    return std::nullopt;
}

std::optional<LockHolder> wait_for_package_manager(const sys::Root& root, Milliseconds timeout,
                                                   const std::function<bool(const LockHolder&)>& waiting) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        auto holder = find_package_manager_lock(root);
        const auto left = std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
        if (!holder || left.count() <= 0 || (waiting && !waiting(*holder)))
            return holder;
        std::this_thread::sleep_for(
            std::min(left, kPause)); // no kernel interface tells that another's lock was released
    }
}

} // namespace picket::host
