#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include <picket/gate/gate.h>
#include <picket/watch/fanotify_group.h>

#include "engine_link.h"
#include "group_reader.h"
#include "outcome_queue.h"
#include "slow_closer.h"
#include "task_queue.h"

namespace picket::daemon {

/// What the rest of the daemon may know of the gate; a copy, some hundredths of a second old.
struct GateSnapshot {
    gate::GateStatistics statistics;
    EngineState engine;
    std::size_t held_opens = 0;
    std::size_t cached_verdicts = 0;
    bool engine_present = false;
    bool engine_stopped = false;
    bool guarded = false; ///< a heartbeat reached the guard in the last second
};

/// The one thread that reads the group and answers. It opens no path (its seccomp filter ends the process if it tries),
/// takes no lock that is held across a blocking call, and logs nothing. Everything else reaches it through post().
class GateLoop {
  public:
    using Task = std::function<void(gate::Gate&, EngineLink&)>;
    struct Options {
        std::optional<watch::FanotifyGroup> group;         ///< none: scans only
        std::optional<watch::FanotifyGroup> stacked_group; ///< for overlays: there where `group` is
        std::optional<watch::FanotifyGroup> remote_group;  ///< for FUSE and networks: likewise
        UniqueFd engine_listening;
        uid_t engine_uid = 0;
        profile::PolicySnapshot policy;
    };
    GateLoop(Options options, OutcomeQueue& outcomes, const Clock& clock);
    ~GateLoop();
    GateLoop(const GateLoop&) = delete;
    GateLoop& operator=(const GateLoop&) = delete;

    void start();
    /// Every held open is answered by policy, then the group is closed.
    void stop();

    void post(Task task) { tasks_.post(std::move(task)); }
    /// The heartbeat's connection; made elsewhere because connecting names a path.
    void set_guard(UniqueFd connection);
    bool wants_guard() const { return !guard_connected_.load(); }

    GateSnapshot snapshot() const;
    /// Gate::knows_clean(), on any thread.
    bool knows_clean(const watch::FileKey& key) const { return gate_.knows_clean(key); }
    /// Marks and unmarks happen on other threads; null where there is no group.
    watch::FanotifyGroup* group() { return group_ ? &*group_ : nullptr; }
    /// The one that watches file systems of this type.
    watch::FanotifyGroup* group_for(std::string_view filesystem_type);
    /// Drops every mark.
    Result<void> flush_marks(watch::MarkScope scope);
    /// The gate itself, after stop().
    const gate::Gate& stopped_gate() const { return gate_; }
    /// How long ago the loop last turned.
    Milliseconds age() const;
    /// File systems came or went: forget what is remembered of them.
    void forget_filesystems();

  private:
    class Answerer;
    void run();
    void turn();
    void read_kernel();
    void take_from(GroupReader& reader);
    bool readers_turn() const;
    void run_tasks();
    void beat();
    void publish();
    int wait_ms() const;
    void watch_fd(int fd, bool on);

    std::optional<watch::FanotifyGroup> group_;
    std::unique_ptr<GroupReader> stacked_;
    std::unique_ptr<GroupReader> remote_;
    OutcomeQueue& outcomes_;
    const Clock& clock_;
    UniqueFd epoll_;
    TaskQueue<Task> tasks_;
    std::unique_ptr<Answerer> answerer_;
    watch::SystemFileInspector inspector_;
    SlowCloser closer_;
    EngineLink engine_;
    gate::Gate gate_;
    UniqueFd guard_;
    std::atomic<bool> guard_connected_{false};
    std::atomic<bool> stopping_{false};
    std::atomic<std::int64_t> turned_at_ms_{0};
    MonotonicTime last_beat_{};
    MonotonicTime last_tick_{};
    MonotonicTime last_publish_{};
    bool unpublished_ = true;
    std::vector<watch::KernelEvent> events_;
    mutable std::mutex snapshot_mutex_;
    GateSnapshot snapshot_;
    std::thread thread_;
};

} // namespace picket::daemon
