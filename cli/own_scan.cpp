#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <memory>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/command_line/interrupt.h>

#include "context.h"
#include "scan_report.h"
#include "session.h"

namespace picket::cli {
namespace {

constexpr int kDeepest = 100; ///< one descriptor a level
constexpr std::uint64_t kMostFiles = 20'000'000;
constexpr Milliseconds kFileTimeout{300'000};
constexpr int kReadFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

/// File systems whose files are the kernel's answers, not content.
bool is_pseudo(int fd) {
    constexpr decltype(statfs::f_type) kPseudo[] = {PROC_SUPER_MAGIC,    SYSFS_MAGIC,        CGROUP_SUPER_MAGIC,
                                                    CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
                                                    TRACEFS_MAGIC,       SECURITYFS_MAGIC};
    struct statfs status {};
    if (::fstatfs(fd, &status) != 0)
        return true;
    for (const auto magic : kPseudo)
        if (status.f_type == magic)
            return true;
    return false;
}

std::string open_problem(int errno_value) {
    std::string text = Error::from_errno(errno_value, "open").message();
    if (errno_value == EPERM)
        text += "; real-time protection may have denied it";
    return text;
}

/// Walks with the caller's own rights and lets the daemon judge descriptors. Follows no link below the top, enters
/// no device, pipe or pseudo file system.
class OwnScan {
  public:
    OwnScan(const Context& context, Session& session) : session_(session), report_(context) {}

    void file(UniqueFd fd, const std::string& path) {
        struct stat status {};
        if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
            return; // it was a regular file a moment ago
        data::Json parameters;
        data::set_path(parameters, "path", path);
        const auto answer = session_.call("scan.file", parameters, {fd.get()}, kFileTimeout);
        if (!answer) {
            fatal_ = answer.failure;
            return;
        }
        ++files_;
        bytes_ += static_cast<std::uint64_t>(status.st_size);
        judge(*answer.value, path);
        report_.progress(counts(path));
    }

    void directory(UniqueFd fd, const std::string& path, int depth) {
        if (is_pseudo(fd.get()))
            return;
        if (depth > kDeepest)
            return not_scanned(path, "nested too deep");
        const Directory entries(::fdopendir(fd.get()));
        if (entries == nullptr)
            return not_scanned(path, open_problem(errno));
        [[maybe_unused]] const int owned = fd.release();
        while (const dirent* entry = go_on() ? ::readdir(entries.get()) : nullptr)
            if (const std::string name = entry->d_name; name != "." && name != "..")
                child(::dirfd(entries.get()), name, path == "/" ? "/" + name : path + "/" + name, depth);
    }

    void not_scanned(const std::string& path, const std::string& reason) {
        ++failed_;
        data::Json failure = {{"reason", reason}};
        data::set_path(failure, "path", path);
        report_.failure(failure);
    }

    int finish(const std::string& path) {
        data::Json record = counts("");
        record.erase("current");
        record["kind"] = "custom";
        record["status"] = command_line::interrupted() ? "cancelled" : files_ >= kMostFiles ? "failed" : "finished";
        if (files_ >= kMostFiles)
            record["message"] = fmt::format("stopped after {} files", files_);
        record["files_failed"] = failed_;
        data::set_path(record, "path", path);
        return report_.finish(std::move(record));
    }
    const std::optional<command_line::Failure>& fatal() const { return fatal_; }

  private:
    bool go_on() const { return !fatal_ && files_ < kMostFiles && !command_line::interrupted(); }

    void child(int directory_fd, const std::string& name, const std::string& path, int depth) {
        struct stat status {};
        if (::fstatat(directory_fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return; // gone meanwhile
        const bool is_directory = S_ISDIR(status.st_mode);
        if (!is_directory && !S_ISREG(status.st_mode))
            return;
        UniqueFd fd(::openat(directory_fd, name.c_str(), is_directory ? kReadFlags | O_DIRECTORY : kReadFlags));
        if (!fd) {
            if (errno != ENOENT)
                not_scanned(path, open_problem(errno));
            return;
        }
        if (is_directory)
            directory(std::move(fd), path, depth + 1);
        else
            file(std::move(fd), path);
    }

    void judge(const data::Json& answer, const std::string& path) {
        const std::string verdict = data::string_or(answer, "verdict", "engine_error");
        if (verdict == "malicious" || verdict == "potentially_unwanted") {
            ++threats_;
            data::Json threat = {{"threat_name", data::string_or(answer, "threat_name", "unnamed")},
                                 {"action", "reported"}};
            data::set_path(threat, "path", path);
            report_.threat(threat);
        } else if (verdict != "clean") {
            not_scanned(path, verdict);
        }
    }

    data::Json counts(const std::string& current) const {
        data::Json json = {{"files_scanned", files_}, {"bytes_scanned", bytes_}, {"threats_found", threats_}};
        data::set_path(json, "current", current);
        return json;
    }

    Session& session_;
    ScanReport report_;
    std::uint64_t files_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t threats_ = 0;
    std::optional<command_line::Failure> fatal_;
};

/// The top may be a link of the caller's; what it leads to is opened for reading only once it is known to be a file
/// or a folder (a device may act on being opened).
Result<UniqueFd> open_top(const std::string& path, bool& is_directory) {
    const UniqueFd named(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat status {};
    if (!named || ::fstat(named.get(), &status) != 0)
        return Error::from_errno(errno, path);
    is_directory = S_ISDIR(status.st_mode);
    if (!is_directory && !S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, fmt::format("{} is neither a file nor a folder", path));
    UniqueFd fd(::open(fmt::format("/proc/self/fd/{}", named.get()).c_str(), kReadFlags & ~O_NOFOLLOW));
    if (!fd)
        return Error(Error::from_errno(errno, "").code(), fmt::format("{}: {}", path, open_problem(errno)));
    return fd;
}

} // namespace

int run_own_scan(const Context& context, const std::string& path) {
    bool is_directory = false;
    auto top = open_top(path, is_directory);
    if (!top)
        return context.fail(failure_of(top.error()));
    command_line::catch_interrupts();
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    OwnScan scan(context, *session.value);
    if (is_directory)
        scan.directory(std::move(*top), path, 0);
    else
        scan.file(std::move(*top), path);
    return scan.fatal() ? context.fail(*scan.fatal()) : scan.finish(path);
}

} // namespace picket::cli
