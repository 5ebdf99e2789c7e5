#include "process_table.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

namespace picket::guard {
namespace {

// Younger than the oldest libc we build with; the numbers are the same on every architecture.
constexpr long kPidfdSendSignal = 424;
constexpr long kPidfdOpen = 434;
constexpr int kPeerPidfd = 77; // SO_PEERPIDFD

Error gone() {
    return Error(ErrorCode::not_found, "the process is gone");
}

/// The n-th word (from 0) of `text`, words being parted by single spaces or tabs.
std::string_view word(std::string_view text, std::size_t n) {
    for (; n > 0; --n) {
        const auto next = text.find_first_of(" \t");
        if (next == std::string_view::npos)
            return {};
        text.remove_prefix(next + 1);
    }
    return text.substr(0, text.find_first_of(" \t\n"));
}

template <typename Number>
bool parse(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

} // namespace

Result<ProcessTable> ProcessTable::open(const char* proc) {
    UniqueFd fd(::open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        return Error::from_errno(errno, fmt::format("open {}", proc));
    return ProcessTable(std::move(fd));
}

Result<std::size_t> ProcessTable::read(pid_t pid, const char* file, char* into, std::size_t size) const {
    std::array<char, 32> path{};
    *fmt::format_to_n(path.data(), path.size() - 1, "{}/{}", pid, file).out = '\0';
    const UniqueFd fd(openat(proc_.get(), path.data(), O_RDONLY | O_CLOEXEC));
    const ssize_t got = fd ? ::read(fd.get(), into, size) : -1;
    if (got <= 0)
        return gone();
    return static_cast<std::size_t>(got);
}

Result<std::uint64_t> ProcessTable::start_ticks(pid_t pid) const {
    std::array<char, 1024> buffer{};
    const std::string_view text(buffer.data(), PICKET_TRY(read(pid, "stat", buffer.data(), buffer.size())));
    const auto after_name = text.rfind(')'); // the name may hold brackets and spaces
    std::uint64_t ticks = 0;
    if (after_name == std::string_view::npos || !parse(word(text.substr(after_name + 1), 20), ticks))
        return gone();
    return ticks;
}

Result<Target> ProcessTable::hold(pid_t pid) const {
    const auto before = start_ticks(pid);
    Target target{pid, before.value_or(0U), UniqueFd(static_cast<int>(syscall(kPidfdOpen, pid, 0)))};
    // Where /proc hides the process from us (hidepid), the pidfd has to do.
    if (!before && !target.pidfd)
        return gone();
    // Equal before and after the pidfd was made: the pidfd is of the process that was looked at.
    if (before && PICKET_TRY(start_ticks(pid)) != target.start_ticks)
        return gone();
    return target;
}

Result<Target> ProcessTable::hold_peer(int socket, pid_t pid) const {
    Target target = PICKET_TRY(hold(pid));
    int pidfd = -1;
    socklen_t length = sizeof pidfd;
    if (getsockopt(socket, SOL_SOCKET, kPeerPidfd, &pidfd, &length) == 0)
        target.pidfd.reset(pidfd);
    return target;
}

Result<void> ProcessTable::kill(const Target& target) const {
    if (target.pidfd) {
        if (syscall(kPidfdSendSignal, target.pidfd.get(), SIGKILL, nullptr, 0) == 0)
            return {};
        if (errno != ENOSYS && errno != EPERM) // EPERM: a container's filter may not know the call
            return Error::from_errno(errno, "pidfd_send_signal");
    }
    if (PICKET_TRY(start_ticks(target.pid)) != target.start_ticks)
        return gone();
    if (::kill(target.pid, SIGKILL) != 0)
        return Error::from_errno(errno, "kill");
    return {};
}

bool ProcessTable::runs_only_as(pid_t pid, uid_t uid) const {
    std::array<char, 4096> buffer{};
    const auto length = read(pid, "status", buffer.data(), buffer.size());
    if (!length)
        return false;
    const std::string_view text(buffer.data(), *length);
    // The name on the first line is the process's own to choose, but the kernel escapes its newlines.
    const auto line = text.find("\nUid:\t");
    if (line == std::string_view::npos)
        return false;
    for (std::size_t i = 0; i < 4; ++i) {
        uid_t found = 0;
        if (!parse(word(text.substr(line + 6), i), found) || found != uid)
            return false;
    }
    return true;
}

} // namespace picket::guard
