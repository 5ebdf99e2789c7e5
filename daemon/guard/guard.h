#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <sys/types.h>

#include <picket/base/clock.h>
#include <picket/base/unique_fd.h>
#include <picket/watch/heartbeat.h>

#include "process_table.h"

namespace picket::guard {

struct Options {
    Milliseconds timeout{watch::kHeartbeatTimeoutMs};
    /// The guard itself stood still for longer than this: silence says nothing of the gates then.
    Milliseconds own_gap{1'000};
    uid_t allowed_uid = 0;
    /// Whose processes a gate may ask to have killed; none = nobody's.
    std::optional<uid_t> engine_uid;
};

struct Counters {
    std::uint64_t gates_killed = 0;
    std::uint64_t engines_killed = 0;
    std::uint64_t requests_refused = 0; ///< to kill what is no engine
    std::uint64_t peers_refused = 0;
    std::uint64_t own_stalls = 0;
};

/// Ends a gate that is stuck. A peer that connects is watched; each good record gives it `timeout` more; none in that
/// time is SIGKILL, upon which the kernel lets every waiting open go. A connection that closes ends the watch.
/// Kills first, speaks afterwards. One thread; allocates nothing after construction.
class Guard {
  public:
    /// Called with one line of text at a time; must not block.
    using Say = void (*)(std::string_view line);

    Guard(UniqueFd listening, const ProcessTable& processes, const Clock& clock, Options options, Say say);
    /// Waits at most so long for something to come, then does what is due.
    void turn(Milliseconds at_most);
    const Counters& counters() const { return counters_; }
    std::size_t watched() const;

  private:
    struct Watch {
        UniqueFd connection;
        Target target;
        MonotonicTime deadline{};
        bool killed = false;
    };

    void wait(Milliseconds at_most);
    void notice_own_stall(MonotonicTime now, Milliseconds waited);
    void accept_waiting(MonotonicTime now);
    void read_records(Watch& watch, MonotonicTime now);
    bool take_record(Watch& watch, const watch::Heartbeat& record, std::size_t length, MonotonicTime now);
    void kill_engine(const Watch& watch, pid_t pid);
    void judge(Watch& watch, MonotonicTime now);
    void end(Watch& watch);

    UniqueFd listening_;
    const ProcessTable& processes_;
    const Clock& clock_;
    Options options_;
    Say say_;
    Counters counters_;
    MonotonicTime last_turn_;
    std::array<Watch, 8> watches_; ///< one gate, and those of its restarts whose sockets are not gone yet
};

} // namespace picket::guard
