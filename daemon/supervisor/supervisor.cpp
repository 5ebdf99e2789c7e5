#include "supervisor.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace picket::supervisor {
namespace {

std::string ending(int status) {
    return WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                               : fmt::format("exited with {}", WEXITSTATUS(status));
}

} // namespace

Result<Supervisor> Supervisor::open(std::vector<ChildSpec> specs, const Clock& clock, SupervisorOptions options,
                                    Say say) {
    Supervisor supervisor(clock, std::move(options), std::move(say));
    PICKET_TRY(supervisor.prepare(std::move(specs)));
    return supervisor;
}

Supervisor::~Supervisor() {
    for (Child& child : children_) {
        if (child.pid == 0)
            continue;
        kill(child.pid, SIGKILL);
        waitpid(child.pid, nullptr, 0);
    }
    for (const std::string& directory : mounted_)
        umount2(directory.c_str(), MNT_DETACH);
}

Result<void> Supervisor::prepare(std::vector<ChildSpec> specs) {
    // 0711: the engine's user must reach its own socket by name.
    if (mkdir(options_.notify_directory.c_str(), 0711) != 0 && errno != EEXIST)
        return Error::from_errno(errno, fmt::format("mkdir {}", options_.notify_directory));
    if (chmod(options_.notify_directory.c_str(), 0711) != 0)
        return Error::from_errno(errno, fmt::format("chmod {}", options_.notify_directory));
    for (ChildSpec& spec : specs)
        PICKET_TRY(prepare_child(std::move(spec)));
    return take_signals();
}

Result<void> Supervisor::prepare_child(ChildSpec spec) {
    std::optional<sandbox::Identity> user;
    if (!spec.user.empty())
        user = PICKET_TRY(sandbox::find_identity(spec.user));
    const sandbox::Identity owner = user.value_or(sandbox::Identity{geteuid(), getegid()});
    if (!spec.temporary_directory.empty()) {
        const bool mounted = PICKET_TRY(make_temporary_directory(spec.temporary_directory, owner));
        if (mounted)
            mounted_.push_back(spec.temporary_directory);
    }
    const std::string path = fmt::format("{}/{}.sock", options_.notify_directory, spec.name);
    NotifySocket notify = PICKET_TRY(NotifySocket::open(path, owner.uid, owner.gid));
    children_.push_back(Child{.spec = std::move(spec),
                              .user = user,
                              .notify = std::move(notify),
                              .start_at = clock_.monotonic(),
                              .backoff = options_.first_backoff});
    return {};
}

Result<void> Supervisor::take_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT})
        sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_)
        return Error::from_errno(errno, "signalfd");
    return {};
}

bool Supervisor::settled() const {
    return std::all_of(children_.begin(), children_.end(), [](const Child& child) { return child.settled; });
}

pid_t Supervisor::pid_of(const std::string& name) const {
    const auto child =
        std::find_if(children_.begin(), children_.end(), [&](const Child& each) { return each.spec.name == name; });
    return child == children_.end() ? 0 : child->pid;
}

void Supervisor::stop() {
    if (!stopping_)
        say_("stopping");
    stopping_ = true;
}

bool Supervisor::turn(Milliseconds at_most) {
    wait(at_most);
    reap();
    const MonotonicTime now = clock_.monotonic();
    for (Child& child : children_) {
        listen(child, now);
        enforce(child, now);
    }
    if (!stopping_) {
        start_due(now);
        return true;
    }
    stop_next(now);
    return std::any_of(children_.begin(), children_.end(), [](const Child& child) { return child.pid != 0; });
}

/// The nearest moment at which something falls due without an event.
int Supervisor::wait_ms(Milliseconds at_most) const {
    MonotonicTime next = clock_.monotonic() + at_most;
    for (const Child& child : children_) {
        if (child.pid == 0 && !stopping_)
            next = std::min(next, std::max(child.start_at, clock_.monotonic() + Milliseconds(1)));
        if (child.first_started && !child.settled)
            next = std::min(next, *child.first_started + child.spec.start_wait);
        next = std::min(next, child.alive_until.value_or(next));
        next = std::min(next, child.kill_at.value_or(next));
    }
    const auto left = std::chrono::ceil<Milliseconds>(next - clock_.monotonic());
    return static_cast<int>(std::max<Milliseconds::rep>(0, left.count()));
}

void Supervisor::wait(Milliseconds at_most) {
    std::vector<pollfd> watched{{signals_.get(), POLLIN, 0}};
    for (const Child& child : children_)
        watched.push_back({child.notify.fd(), POLLIN, 0});
    (void)poll(watched.data(), watched.size(), wait_ms(at_most));
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            stop();
}

void Supervisor::reap() {
    for (;;) {
        int status = 0;
        const pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        const auto child =
            std::find_if(children_.begin(), children_.end(), [&](const Child& each) { return each.pid == pid; });
        if (child != children_.end())
            note_end(*child, status);
    }
}

void Supervisor::note_end(Child& child, int status) {
    const MonotonicTime now = clock_.monotonic();
    const pid_t pid = std::exchange(child.pid, 0);
    child.alive_until.reset();
    child.kill_at.reset();
    if (now - child.started >= options_.steady)
        child.backoff = options_.first_backoff;
    child.start_at = now + child.backoff;
    const std::string next = stopping_ ? "" : fmt::format("; starting it again in {} ms", child.backoff.count());
    say_(fmt::format("{} (pid {}) {}{}", child.spec.name, pid, ending(status), next));
    child.backoff = std::min(child.backoff * 2, options_.last_backoff);
}

void Supervisor::listen(Child& child, MonotonicTime now) {
    const Notice notice = child.notify.take();
    if (child.pid == 0)
        return;
    child.settled = child.settled || notice.ready;
    if (notice.alive && child.spec.watchdog.count() > 0)
        child.alive_until = now + child.spec.watchdog;
}

void Supervisor::enforce(Child& child, MonotonicTime now) {
    // Also one that ends again and again holds the others up no longer than this.
    child.settled = child.settled || (child.first_started && now >= *child.first_started + child.spec.start_wait);
    if (child.pid == 0)
        return;
    if (child.alive_until && now >= *child.alive_until) {
        say_(fmt::format("{} (pid {}) does not say that it lives: killed", child.spec.name, child.pid));
        kill(child.pid, SIGKILL);
        child.alive_until.reset();
    }
    if (child.kill_at && now >= *child.kill_at) {
        say_(fmt::format("{} (pid {}) does not stop: killed", child.spec.name, child.pid));
        kill(child.pid, SIGKILL);
        child.kill_at = now + options_.stop_wait;
    }
}

/// The first round goes in order; later a child is started when its own time has come, whatever the others do.
void Supervisor::start_due(MonotonicTime now) {
    for (Child& child : children_) {
        if (child.pid == 0 && now >= child.start_at)
            start(child, now);
        if (!child.settled)
            return;
    }
}

void Supervisor::start(Child& child, MonotonicTime now) {
    const auto pid = start_child(child.spec, child.user, child.notify.path());
    if (!pid) {
        child.start_at = now + child.backoff;
        child.backoff = std::min(child.backoff * 2, options_.last_backoff);
        say_(pid.error().message());
        return;
    }
    child.pid = *pid;
    child.started = now;
    child.first_started = child.first_started.value_or(now);
    child.settled = child.settled || child.spec.start_wait.count() == 0;
    say_(fmt::format("{} started (pid {})", child.spec.name, *pid));
}

void Supervisor::stop_next(MonotonicTime now) {
    const auto last =
        std::find_if(children_.rbegin(), children_.rend(), [](const Child& child) { return child.pid != 0; });
    if (last == children_.rend() || last->kill_at)
        return;
    kill(last->pid, SIGTERM);
    last->kill_at = now + options_.stop_wait;
}

} // namespace picket::supervisor
