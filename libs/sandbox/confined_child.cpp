#include <picket/sandbox/confined_child.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/sandbox/network_only.h>
#include <picket/sys/file.h>

#include "confined_child_setup.h"

namespace picket::sandbox {
namespace {

constexpr std::uint32_t kResultFrame = 0xffff'ffff; ///< last: code of the Error (kSuccess: none), then its text
constexpr Byte kSuccess = 0xff;
constexpr std::size_t kMaxMessage = 2048;

struct FrameHeader {
    std::uint32_t type = 0;
    std::uint32_t size = 0;
};

Result<void> send_frame(int fd, std::uint32_t type, ByteSpan payload) {
    const FrameHeader header{type, static_cast<std::uint32_t>(payload.size())};
    PICKET_TRY(sys::write_all(fd, {reinterpret_cast<const char*>(&header), sizeof header}));
    return sys::write_all(fd, as_text(payload));
}

void send_result(int fd, const Result<void>& result) {
    std::string payload(1, static_cast<char>(kSuccess));
    if (!result) {
        payload[0] = static_cast<char>(result.error().code());
        payload += result.error().message().substr(0, kMaxMessage);
    }
    (void)send_frame(fd, kResultFrame, as_bytes(payload)).has_value();
}

Result<void> work_guarded(const ConfinedWork& work, ConfinedOutput& output) {
    try {
        return work(output);
    } catch (const std::bad_alloc&) {
        return Error(ErrorCode::exhausted, "more memory than allowed");
    } catch (const std::exception& exception) {
        return Error(ErrorCode::internal, exception.what());
    }
}

using Confine = Result<void> (*)(const Confinement&);

[[noreturn]] void be_child(Confine confine_self, const Confinement& confinement, const ConfinedWork& work) {
    const auto confined = confine_self(confinement);
    ConfinedOutput output(confinement.output);
    if (!confined)
        send_result(confinement.output, Error(ErrorCode::unavailable, "cannot confine: " + confined.error().message()));
    else
        send_result(confinement.output, work_guarded(work, output));
    _exit(0);
}

Result<void> decode_result(ByteSpan payload) {
    if (payload.empty())
        return Error(ErrorCode::corrupt, "the confined child sent an empty result");
    if (payload[0] == kSuccess)
        return {};
    const auto code =
        payload[0] <= static_cast<Byte>(ErrorCode::internal) ? static_cast<ErrorCode>(payload[0]) : ErrorCode::corrupt;
    return Error(code, escape_for_display(as_text(payload.subspan(1))));
}

/// The parent's view of one child.
class Supervisor {
  public:
    Supervisor(pid_t pid, UniqueFd input, const ConfinedLimits& limits)
        : pid_(pid), input_(std::move(input)), limits_(limits),
          deadline_(std::chrono::steady_clock::now() + limits.wall_clock) {}
    ~Supervisor() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            wait_for_end(0);
        }
    }
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    Result<void> receive_all(const FrameReceiver& receiver) {
        ByteVector payload;
        for (;;) {
            FrameHeader header;
            PICKET_TRY(read_exactly({reinterpret_cast<Byte*>(&header), sizeof header}));
            PICKET_TRY(check_header(header));
            payload.resize(header.size);
            PICKET_TRY(read_exactly(payload));
            if (header.type == kResultFrame)
                return decode_result(payload);
            PICKET_TRY(receiver(header.type, payload));
        }
    }

  private:
    Result<void> check_header(const FrameHeader& header) {
        const bool is_result = header.type == kResultFrame;
        if (header.size > (is_result ? kMaxMessage + 1 : limits_.frame.count) ||
            (!is_result && header.type >= ConfinedOutput::kReservedTypes))
            return Error(ErrorCode::corrupt, "the confined child broke the framing");
        received_ += sizeof header + header.size;
        if (received_ > limits_.output.count)
            return Error(ErrorCode::exhausted, fmt::format("more than {} came out", to_human(limits_.output)));
        return {};
    }
    Result<void> read_exactly(std::span<Byte> into) {
        while (!into.empty()) {
            PICKET_TRY(wait_for_input());
            const ssize_t got = read(input_.get(), into.data(), into.size());
            if (got == 0)
                return ended_early();
            if (got < 0 && errno != EINTR && errno != EAGAIN)
                return Error::from_errno(errno, "reading from the confined child");
            if (got > 0)
                into = into.subspan(static_cast<std::size_t>(got));
        }
        return {};
    }
    Result<void> wait_for_input() {
        const Error late(ErrorCode::exhausted, fmt::format("took longer than {} ms", limits_.wall_clock.count()));
        for (;;) {
            const auto left = std::chrono::ceil<Milliseconds>(deadline_ - std::chrono::steady_clock::now()).count();
            if (left <= 0)
                return late;
            pollfd readable{input_.get(), POLLIN, 0};
            const int ready = poll(&readable, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
            if (ready > 0)
                return {};
            if (ready < 0 && errno != EINTR)
                return Error::from_errno(errno, "waiting for the confined child");
        }
    }
    /// The pipe closes a moment before the process can be waited for; a hostile one may close it and live on.
    Error ended_early() {
        std::optional<int> status;
        for (int turn = 0; turn < 200 && !status; ++turn) {
            status = wait_for_end(WNOHANG);
            if (!status) {
                const timespec moment{0, 5'000'000};
                nanosleep(&moment, nullptr);
            }
        }
        if (status && WIFSIGNALED(*status) && WTERMSIG(*status) == SIGSYS)
            return Error(ErrorCode::corrupt, "the confined child was ended by its system-call filter (SIGSYS)");
        if (status && WIFSIGNALED(*status) && WTERMSIG(*status) == SIGXCPU)
            return Error(ErrorCode::exhausted, fmt::format("more than {} s of processor time", limits_.cpu_seconds));
        if (status && WIFSIGNALED(*status))
            return Error(ErrorCode::corrupt,
                         fmt::format("the confined child crashed ({})", strsignal(WTERMSIG(*status))));
        return Error(ErrorCode::corrupt, "the confined child ended without a result");
    }
    /// Nothing while it still runs.
    std::optional<int> wait_for_end(int flags) {
        int status = 0;
        pid_t ended = 0;
        do
            ended = waitpid(pid_, &status, flags);
        while (ended < 0 && errno == EINTR);
        if (ended == 0)
            return std::nullopt;
        pid_ = -1; // ECHILD: a caller that ignores SIGCHLD; it is gone all the same
        return ended > 0 ? status : 0;
    }

    pid_t pid_;
    UniqueFd input_;
    const ConfinedLimits limits_;
    const MonotonicTime deadline_;
    std::uint64_t received_ = 0;
};

/// `confinement` lacks the pipe's end, which is made here.
Result<void> run_child(Confine confine_self, Confinement confinement, const ConfinedWork& work,
                       const FrameReceiver& receiver) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        return Error::from_errno(errno, "pipe");
    UniqueFd input(ends[0]);
    UniqueFd output(ends[1]);
    if (fcntl(input.get(), F_SETFL, O_NONBLOCK) != 0)
        return Error::from_errno(errno, "pipe");
    confinement.output = output.get();
    const pid_t pid = fork();
    if (pid < 0)
        return Error::from_errno(errno, "fork");
    if (pid == 0)
        be_child(confine_self, confinement, work);
    output.reset();
    Supervisor supervisor(pid, std::move(input), confinement.limits);
    return supervisor.receive_all(receiver);
}

} // namespace

Result<void> ConfinedOutput::send(std::uint32_t type, ByteSpan payload) {
    PICKET_CHECK(type < kReservedTypes && payload.size() <= UINT32_MAX);
    return send_frame(fd_, type, payload);
}

Result<void> run_confined(const std::vector<int>& descriptors, const ConfinedLimits& limits, const ConfinedWork& work,
                          const FrameReceiver& receiver) {
    const UniqueFd empty_root = PICKET_TRY(open_removed_directory());
    return run_child(confine,
                     {.parent = getpid(), .descriptors = descriptors, .empty_root = empty_root.get(), .limits = limits},
                     work, receiver);
}

Result<void> run_networked(const ConfinedLimits& limits, const ConfinedWork& work, const FrameReceiver& receiver) {
    return run_child(confine_to_network, {.parent = getpid(), .limits = limits}, work, receiver);
}

} // namespace picket::sandbox
