#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <common/capabilities.h>
#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/ipc/seqpacket.h>
#include <picket/model/paths.h>
#include <picket/sandbox/privileges.h>
#include <picket/sandbox/seccomp_filter.h>
#include <picket/sys/notify.h>
#include <picket/sys/program_arguments.h>

#include "guard.h"

using namespace picket;

namespace {

constexpr Milliseconds kTurn{250};
constexpr const char* kUsage = "usage: picket-guard [--socket PATH] [--engine-uid N] [--status FILE]\n"
                               "Kills a picketd that sends no heartbeat. Run by the service manager.\n";

struct Arguments {
    std::string socket = paths::kGuardSocket;
    std::string status = std::string(paths::kRunDirectory) + "/guard.json";
    std::optional<uid_t> engine_uid;
};

std::optional<Arguments> parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        if (i + 1 >= argc)
            return std::nullopt;
        const auto number = parse_unsigned(argv[i + 1]);
        if (name == "--socket")
            arguments.socket = argv[i + 1];
        else if (name == "--status")
            arguments.status = argv[i + 1];
        else if (name == "--engine-uid" && number && *number > 0 && *number < 0xffffffffU)
            arguments.engine_uid = static_cast<uid_t>(*number);
        else
            return std::nullopt;
    }
    return arguments;
}

/// Never blocks: journald may be the very process that waits for the stuck gate. What does not fit is lost.
void say(std::string_view line) {
    std::array<char, 300> text{};
    const auto end = fmt::format_to_n(text.data(), text.size(), "picket-guard: {}\n", line);
    const std::size_t length = std::min(end.size, text.size());
    if (send(STDERR_FILENO, text.data(), length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != ENOTSOCK)
        return;
    pollfd stderr_ready{STDERR_FILENO, POLLOUT, 0};
    if (poll(&stderr_ready, 1, 0) == 1 && write(STDERR_FILENO, text.data(), length) < 0)
        return;
}

/// Resident for good, last to be sacrificed; each as far as this host lets us.
void hold_on_to_memory() {
    const UniqueFd score(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    if (score && write(score.get(), "-1000", 5) < 0)
        say("may not protect itself from the kernel's out-of-memory killer");
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    const bool may_grow = setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0;
    // MCL_FUTURE under a limit would make a later allocation fail.
    if (mlockall(may_grow ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT) != 0)
        say("may not lock its memory: it could be swapped out");
}

/// What the loop uses. Anything else fails instead of ending the guard: nobody would be left to watch.
Result<void> restrict_calls() {
    sandbox::FilterOptions options;
    // pipe2: a sanitizer asks in this way whether it may look at memory.
    for (const char* name : {"poll",
                             "ppoll",
                             "ppoll_time64",
                             "accept4",
                             "accept",
                             "recvfrom",
                             "recvmsg",
                             "sendto",
                             "sendmsg",
                             "getsockopt",
                             "setsockopt",
                             "socket",
                             "openat",
                             "read",
                             "pread64",
                             "write",
                             "pwrite64",
                             "close",
                             "fstat",
                             "newfstatat",
                             "fcntl",
                             "pipe",
                             "pipe2",
                             "kill",
                             "pidfd_open",
                             "pidfd_send_signal",
                             "tgkill",
                             "getpid",
                             "gettid",
                             "clock_gettime",
                             "clock_gettime64",
                             "brk",
                             "mmap",
                             "munmap",
                             "mremap",
                             "mprotect",
                             "madvise",
                             "futex",
                             "rt_sigreturn",
                             "rt_sigprocmask",
                             "rt_sigaction",
                             "sigaltstack",
                             "restart_syscall",
                             "getrandom",
                             "exit",
                             "exit_group"})
        options.allowed.push_back({name});
    options.default_action = sandbox::FilterAction::fail;
    return sandbox::install_filter(options);
}

/// For picketd's next start and for people; opened once, because the guard opens nothing later.
void publish(int status_fd, const guard::Counters& counters) {
    std::array<char, 256> text{};
    // Of constant length (padded), so that no older text shows behind it.
    const auto end = fmt::format_to_n(
        text.data(), text.size(),
        R"({{"gates_killed":{:<20},"engines_killed":{:<20},"requests_refused":{:<20},"peers_refused":{:<20},"own_stalls":{:<20}}})"
        "\n",
        counters.gates_killed, counters.engines_killed, counters.requests_refused, counters.peers_refused,
        counters.own_stalls);
    if (pwrite(status_fd, text.data(), std::min(end.size, text.size()), 0) < 0)
        return;
}

Result<void> watch_for_ever(const Arguments& arguments) {
    if (geteuid() != 0)
        return Error(ErrorCode::permission, "picket-guard must run as root");
    guard::Options options;
    options.engine_uid = arguments.engine_uid;
    if (!options.engine_uid)
        if (const auto engine = sandbox::find_identity(paths::kEngineUser))
            options.engine_uid = engine->uid;
    const auto processes = PICKET_TRY(guard::ProcessTable::open());
    UniqueFd listening = PICKET_TRY(ipc::listen_at(arguments.socket, 0600));
    const ipc::BoundPath socket(arguments.socket);
    const UniqueFd status(
        open(arguments.status.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644));
    hold_on_to_memory();
    PICKET_TRY(daemon::keep_only_capabilities({CAP_KILL}));
    if (const auto restricted = restrict_calls(); !restricted)
        say(restricted.error().message());
    const SystemClock clock;
    guard::Guard guard(std::move(listening), processes, clock, options, say);
    sys::notify_service_manager("READY=1");
    MonotonicTime last_sign{};
    for (;;) {
        guard.turn(kTurn);
        if (clock.monotonic() - last_sign < Milliseconds(1'000))
            continue;
        last_sign = clock.monotonic();
        if (!socket.is_there()) // no gate would find us again; the service manager starts another guard
            return Error(ErrorCode::not_found, fmt::format("{} is gone", socket.path()));
        publish(status.get(), guard.counters());
        sys::notify_service_manager("WATCHDOG=1");
    }
}

} // namespace

int main(int argc, char** argv) {
    if (const auto answered = sys::answer_version_or_help(argc, argv, "picket-guard", kUsage))
        return *answered;
    const auto arguments = parse(argc, argv);
    if (!arguments) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    umask(022);
    std::signal(SIGPIPE, SIG_IGN);
    const auto ended = watch_for_ever(*arguments);
    say(ended.error().message());
    return ended.error().code() == ErrorCode::permission ? 3 : 1;
}
