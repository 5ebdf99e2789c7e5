#include <picket/sys/process.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/sys/file.h>

namespace picket::sys {
namespace {

constexpr std::array<const char*, 4> kSearchPath{"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"};
constexpr Milliseconds kTermGrace{5'000};
constexpr std::uint64_t kNobodyLoggedIn = 0xffff'ffff;

struct Pipe {
    UniqueFd read_end;
    UniqueFd write_end;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        return Error::from_errno(errno, "pipe");
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string find_program(const std::string& name) {
    if (name.find('/') != std::string::npos)
        return name;
    for (const char* directory : kSearchPath) {
        std::string candidate = directory + name;
        if (access(candidate.c_str(), X_OK) == 0)
            return candidate;
    }
    return "/usr/bin/" + name;
}

/// Between fork and exec: only async-signal-safe calls. Never returns.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment, int in, int out,
                         int err, int report, const RunOptions& options) {
    if (options.own_session)
        setsid();
    else
        setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD})
        std::signal(number, SIG_DFL);
    umask(022);
    // Every descriptor of ours is O_CLOEXEC; what a parent left open to us is closed here all the same.
    if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0) {
        const long top = sysconf(_SC_OPEN_MAX);
        const bool closed = syscall(__NR_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0;
        for (int fd = 3; !closed && fd < top && fd < 65536; ++fd)
            if (fd != report)
                close(fd);
        if (options.chroot_directory.empty() || (chroot(options.chroot_directory.c_str()) == 0 && chdir("/") == 0))
            execve(program, arguments, environment);
    }
    const int failure = errno;
    const ssize_t ignored = write(report, &failure, sizeof failure);
    (void)ignored;
    _exit(127);
}

/// Feeds input and collects both outputs until all is closed or the deadline passes.
struct Pump {
    UniqueFd input, output, error;
    std::string_view pending_input;
    RunOutcome& outcome;
    const RunOptions& options;

    void collect(UniqueFd& fd, std::string& into) const {
        std::array<char, 8192> buffer{};
        const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            fd.reset();
        else if (got > 0 && into.size() < options.output_limit.count)
            into.append(buffer.data(), static_cast<std::size_t>(got));
    }
    void feed() {
        const ssize_t put = write(input.get(), pending_input.data(), pending_input.size());
        if (put > 0)
            pending_input.remove_prefix(static_cast<std::size_t>(put));
        if (pending_input.empty() || (put < 0 && errno != EINTR && errno != EAGAIN))
            input.reset();
    }
    void turn(int timeout_ms) {
        std::array<pollfd, 3> fds{pollfd{input.get(), POLLOUT, 0}, pollfd{output.get(), POLLIN, 0},
                                  pollfd{error.get(), POLLIN, 0}};
        if (poll(fds.data(), fds.size(), timeout_ms) <= 0)
            return;
        if (fds[0].revents != 0 && input)
            feed();
        if (fds[1].revents != 0 && output)
            collect(output, outcome.output);
        if (fds[2].revents != 0 && error)
            collect(error, outcome.error_output);
    }
};

bool reap(pid_t pid, RunOutcome& outcome) {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) != pid)
        return false;
    outcome.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

void supervise(pid_t pid, Pump& pump, RunOutcome& outcome, const RunOptions& options) {
    const auto started = std::chrono::steady_clock::now();
    bool ended = false;
    std::optional<std::chrono::steady_clock::time_point> asked_to_end;
    bool killed = false;
    Milliseconds grace_after_end{0};
    while (!ended || ((pump.output || pump.error) && grace_after_end < Milliseconds(200))) {
        pump.turn(ended ? 20 : 50);
        if (ended) {
            grace_after_end += Milliseconds(20); // a daemon it left behind may hold the pipes open for ever
            continue;
        }
        ended = reap(pid, outcome);
        if (ended || killed)
            continue;
        const auto now = std::chrono::steady_clock::now();
        if (!asked_to_end) {
            outcome.stopped = options.stop != nullptr && *options.stop;
            outcome.timed_out = now - started > options.timeout;
            if (outcome.stopped || outcome.timed_out) {
                kill(-pid, SIGTERM);
                asked_to_end = now;
            }
        } else if (now - *asked_to_end > kTermGrace) {
            kill(-pid, SIGKILL);
            killed = true;
        }
    }
}

} // namespace

Result<RunOutcome> run(const std::vector<std::string>& arguments, const RunOptions& options) {
    PICKET_CHECK(!arguments.empty());
    Pipe in = PICKET_TRY(make_pipe());
    Pipe out = PICKET_TRY(make_pipe());
    Pipe err = PICKET_TRY(make_pipe());
    Pipe report = PICKET_TRY(make_pipe());

    const std::string program = find_program(arguments[0]);
    std::vector<std::string> texts = arguments;
    std::vector<char*> argv;
    for (std::string& text : texts)
        argv.push_back(text.data());
    argv.push_back(nullptr);
    std::map<std::string, std::string> variables = options.environment;
    variables.try_emplace("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    variables.try_emplace("LC_ALL", "C");
    std::vector<std::string> variable_texts;
    for (const auto& [name, value] : variables)
        variable_texts.push_back(fmt::format("{}={}", name, value));
    std::vector<char*> envp;
    for (std::string& text : variable_texts)
        envp.push_back(text.data());
    envp.push_back(nullptr);

    const pid_t pid = fork();
    if (pid < 0)
        return Error::from_errno(errno, "fork");
    if (pid == 0)
        become(program.c_str(), argv.data(), envp.data(), in.read_end.get(), out.write_end.get(), err.write_end.get(),
               report.write_end.get(), options);

    in.read_end.reset();
    out.write_end.reset();
    err.write_end.reset();
    report.write_end.reset();
    int failure = 0;
    if (read(report.read_end.get(), &failure, sizeof failure) == sizeof failure) {
        waitpid(pid, nullptr, 0);
        return Error::from_errno(failure, fmt::format("run {}", program));
    }
    RunOutcome outcome;
    fcntl(in.write_end.get(), F_SETFL, O_NONBLOCK);
    Pump pump{
        std::move(in.write_end), std::move(out.read_end), std::move(err.read_end), options.input, outcome, options};
    if (pump.pending_input.empty())
        pump.input.reset();
    supervise(pid, pump, outcome, options);
    return outcome;
}

Result<ProcessIdentity> process_identity(pid_t pid) {
    const std::string text = PICKET_TRY(read_kernel_file(fmt::format("/proc/{}/stat", pid), kibibytes(4)));
    const auto after_name = text.rfind(')'); // the name may hold spaces and brackets
    if (after_name == std::string::npos || after_name + 2 >= text.size())
        return Error(ErrorCode::internal, "unreadable /proc/PID/stat");
    const auto fields = split(std::string_view(text).substr(after_name + 2), ' ');
    const auto ticks = fields.size() > 19 ? parse_unsigned(fields[19]) : std::nullopt;
    if (!ticks)
        return Error(ErrorCode::internal, "unreadable /proc/PID/stat");
    return ProcessIdentity{pid, *ticks};
}

std::string login_user() {
    const auto text = read_kernel_file("/proc/self/loginuid", kibibytes(1));
    const auto login = text ? parse_unsigned(trim(*text)) : std::nullopt;
    const uid_t user = login && *login < kNobodyLoggedIn ? static_cast<uid_t>(*login) : geteuid();
    const struct passwd* const entry = getpwuid(user);
    return entry != nullptr ? escape_for_display(entry->pw_name) : fmt::format("user {}", user);
}

std::string process_name(pid_t pid) {
    const auto text = read_kernel_file(fmt::format("/proc/{}/comm", pid), kibibytes(1));
    return text ? escape_for_display(trim(*text)) : "?";
}

} // namespace picket::sys
