#include "guard.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

namespace picket::guard {
namespace {

/// A killed process that does not go hangs inside the kernel; said again now and then.
constexpr Milliseconds kStillThere{10'000};

template <typename... Parts>
void say_line(Guard::Say say, fmt::format_string<Parts...> format, Parts&&... parts) {
    std::array<char, 256> line{};
    const auto end = fmt::format_to_n(line.data(), line.size(), format, std::forward<Parts>(parts)...);
    say(std::string_view(line.data(), std::min(end.size, line.size())));
}

} // namespace

Guard::Guard(UniqueFd listening, const ProcessTable& processes, const Clock& clock, Options options, Say say)
    : listening_(std::move(listening)), processes_(processes), clock_(clock), options_(options), say_(say),
      last_turn_(clock.monotonic()) {}

std::size_t Guard::watched() const {
    return static_cast<std::size_t>(
        std::count_if(watches_.begin(), watches_.end(), [](const Watch& watch) { return bool(watch.connection); }));
}

void Guard::turn(Milliseconds at_most) {
    wait(at_most);
    const MonotonicTime now = clock_.monotonic();
    notice_own_stall(now, at_most);
    for (Watch& watch : watches_)
        if (watch.connection)
            read_records(watch, now);
    for (Watch& watch : watches_)
        if (watch.connection)
            judge(watch, now);
    accept_waiting(now);
    last_turn_ = now;
}

void Guard::wait(Milliseconds at_most) {
    std::array<pollfd, std::tuple_size_v<decltype(watches_)> + 1> waiting{};
    waiting[0] = {listening_.get(), POLLIN, 0};
    for (std::size_t i = 0; i < watches_.size(); ++i)
        waiting[i + 1] = {watches_[i].connection.get(), POLLIN, 0}; // -1 is passed over
    (void)poll(waiting.data(), waiting.size(), static_cast<int>(at_most.count()));
}

/// Frozen, stopped or starved ourselves: what was not heard may have been said. Everyone starts afresh.
void Guard::notice_own_stall(MonotonicTime now, Milliseconds waited) {
    if (now - last_turn_ <= waited + options_.own_gap)
        return;
    ++counters_.own_stalls;
    for (Watch& watch : watches_)
        watch.deadline = std::max(watch.deadline, now + options_.timeout);
    say_line(say_, "the guard itself stood still for {} ms: every watch starts afresh",
             std::chrono::duration_cast<Milliseconds>(now - last_turn_).count());
}

void Guard::accept_waiting(MonotonicTime now) {
    for (;;) {
        UniqueFd connection(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!connection)
            return;
        ucred peer{};
        socklen_t length = sizeof peer;
        const bool known = getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0;
        const auto free =
            std::find_if(watches_.begin(), watches_.end(), [](const Watch& watch) { return !watch.connection; });
        if (!known || peer.uid != options_.allowed_uid || free == watches_.end() || peer.pid == getpid()) {
            ++counters_.peers_refused;
            say_line(say_, "refused a connection of pid {}, uid {}", peer.pid, peer.uid);
            continue;
        }
        auto target = processes_.hold_peer(connection.get(), peer.pid);
        if (!target) {
            say_line(say_, "cannot watch pid {}: {}", peer.pid, target.error().message());
            continue;
        }
        free->connection = std::move(connection);
        free->target = std::move(*target);
        free->deadline = now + options_.timeout;
        free->killed = false;
        say_line(say_, "watching pid {}", peer.pid);
    }
}

void Guard::read_records(Watch& watch, MonotonicTime now) {
    for (;;) {
        watch::Heartbeat record{};
        // MSG_TRUNC: the true length, so that a longer record of a later version is told from this one.
        const ssize_t length = recv(watch.connection.get(), &record, sizeof record, MSG_DONTWAIT | MSG_TRUNC);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (length <= 0 || !take_record(watch, record, static_cast<std::size_t>(length), now)) {
            end(watch);
            return;
        }
    }
}

/// False where the peer does not speak our language: it is no gate, and not ours to watch.
bool Guard::take_record(Watch& watch, const watch::Heartbeat& record, std::size_t length, MonotonicTime now) {
    if (length < sizeof record || record.magic != watch::kHeartbeatMagic || record.version == 0) {
        say_line(say_, "pid {} sent no heartbeat but {} other bytes", watch.target.pid, length);
        return false;
    }
    if (!watch.killed)
        watch.deadline = now + options_.timeout;
    if (record.kill_engine_pid != 0)
        kill_engine(watch, static_cast<pid_t>(record.kill_engine_pid));
    return true;
}

void Guard::kill_engine(const Watch& watch, pid_t pid) {
    const bool plausible =
        pid > 1 && pid != getpid() && pid != watch.target.pid && options_.engine_uid && *options_.engine_uid != 0;
    // Held first, looked at then: the one that is killed is the one that was looked at.
    const auto target = plausible ? processes_.hold(pid) : Result<Target>(Error(ErrorCode::permission, "no engine"));
    if (!target && target.error().code() == ErrorCode::not_found)
        return;
    if (!target || !processes_.runs_only_as(pid, *options_.engine_uid)) {
        ++counters_.requests_refused;
        say_line(say_, "pid {} asked to kill pid {}, which is no engine: refused", watch.target.pid, pid);
        return;
    }
    if (processes_.kill(*target)) {
        ++counters_.engines_killed;
        say_line(say_, "killed the engine's process {}, as pid {} asked", pid, watch.target.pid);
    }
}

void Guard::judge(Watch& watch, MonotonicTime now) {
    if (now < watch.deadline)
        return;
    if (watch.killed) {
        watch.deadline = now + kStillThere;
        say_line(say_, "pid {} was killed and is still there: it hangs inside the kernel", watch.target.pid);
        return;
    }
    const auto killed = processes_.kill(watch.target);
    if (!killed) {
        say_line(say_, "pid {} is silent, but cannot be killed: {}", watch.target.pid, killed.error().message());
        end(watch);
        return;
    }
    watch.killed = true;
    watch.deadline = now + kStillThere;
    ++counters_.gates_killed;
    say_line(say_, "gate_killed: no heartbeat of pid {} for {} ms: killed; the kernel lets every waiting open go",
             watch.target.pid, options_.timeout.count());
}

void Guard::end(Watch& watch) {
    say_line(say_, "pid {} is no longer watched", watch.target.pid);
    watch = Watch{};
}

} // namespace picket::guard
