#include "instance.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>
#include <picket/sys/process.h>

namespace picket::supervisor {
namespace {

constexpr Bytes kLogLimit = mebibytes(8); // looked at when it starts: one older log is kept
constexpr int kPollMs = 50;

/// The log of a root program is never opened through a link, nor into a fifo.
Result<UniqueFd> open_log(const std::string& path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) > kLogLimit.count)
        (void)rename(path.c_str(), (path + ".1").c_str());
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    if (!fd || fstat(fd.get(), &status) != 0)
        return Error::from_errno(errno, fmt::format("open {}", path));
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, fmt::format("{} is no regular file", path));
    return fd;
}

Result<UniqueFd> open_lock(const InstancePaths& paths) {
    UniqueFd fd(open(paths.lock.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd)
        return Error::from_errno(errno, fmt::format("open {}", paths.lock));
    return fd;
}

bool is_free(int lock) {
    if (flock(lock, LOCK_EX | LOCK_NB) != 0)
        return false;
    flock(lock, LOCK_UN);
    return true;
}

[[noreturn]] void leave_when_told(int ready_fd) {
    char status = 1;
    ssize_t got = 0;
    do
        got = read(ready_fd, &status, 1);
    while (got < 0 && errno == EINTR);
    _exit(got == 1 ? status : 1);
}

} // namespace

Result<UniqueFd> take_instance_lock(const InstancePaths& paths) {
    UniqueFd fd = PICKET_TRY(open_lock(paths));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
        return Error(ErrorCode::conflict, "another picket-supervisor is running");
    return fd;
}

Result<void> write_pid_file(const InstancePaths& paths, pid_t pid) {
    const auto host = PICKET_TRY(sys::Root::open("/"));
    return host.write_atomically(paths.pid_file, fmt::format("{}\n", pid), 0644);
}

Result<Daemonised> continue_in_background(const InstancePaths& paths) {
    const UniqueFd log = PICKET_TRY(open_log(paths.log));
    const UniqueFd null_fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    int ends[2] = {-1, -1};
    if (!null_fd || pipe2(ends, O_CLOEXEC) != 0)
        return Error::from_errno(errno, "prepare for the background");
    UniqueFd ready_read(ends[0]);
    UniqueFd ready_write(ends[1]);
    const pid_t pid = fork();
    if (pid < 0)
        return Error::from_errno(errno, "fork");
    if (pid > 0) {
        ready_write.reset();
        leave_when_told(ready_read.get());
    }
    setsid();
    if (chdir("/") != 0 || dup2(null_fd.get(), 0) < 0 || dup2(log.get(), 1) < 0 || dup2(log.get(), 2) < 0)
        return Error::from_errno(errno, "leave the terminal");
    return Daemonised{std::move(ready_write)};
}

Result<bool> stop_running_instance(const InstancePaths& paths, Milliseconds at_most) {
    const UniqueFd lock = PICKET_TRY(open_lock(paths));
    if (is_free(lock.get()))
        return false;
    const auto host = PICKET_TRY(sys::Root::open("/"));
    const std::string text = PICKET_TRY(host.read(paths.pid_file, kibibytes(1)));
    const auto pid = parse_unsigned(trim(text));
    if (!pid || *pid < 2 || *pid > 0x7fffffff)
        return Error(ErrorCode::corrupt, fmt::format("{} holds no process number", paths.pid_file));
    if (kill(static_cast<pid_t>(*pid), SIGTERM) != 0)
        return Error::from_errno(errno, fmt::format("stop the supervisor (pid {})", *pid));
    const SystemClock clock;
    const MonotonicTime end = clock.monotonic() + at_most;
    while (!is_free(lock.get())) {
        if (clock.monotonic() >= end)
            return Error(ErrorCode::unavailable, fmt::format("the supervisor (pid {}) is still stopping", *pid));
        (void)poll(nullptr, 0, kPollMs);
    }
    return true;
}

} // namespace picket::supervisor
