#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include <picket/gate/gate.h>
#include <picket/watch/fanotify_group.h>

#include "engine_link.h"
#include "keeper_link.h"
#include "outcome_queue.h"
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
        std::optional<watch::FanotifyGroup> group; ///< none: scans only
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
    /// Listens to a keeper from now on, until it is gone or hangs: then `on_end` is called, on the gate's thread. Its
    /// files need so many workers at least.
    void add_keeper(UniqueFd events, const watch::KeeperState* state, unsigned least_workers,
                    std::function<void(const std::string&)> on_end);
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
    struct Keeper {
        KeeperLink link;
        std::function<void(const std::string&)> on_end;
    };
    void take_from(Keeper& keeper);
    void look_at_keepers(MonotonicTime now);
    void end_keeper(int fd, const std::string& why);
    void run_tasks();
    void beat();
    void publish();
    int wait_ms() const;
    void watch_fd(int fd, bool on);

    std::optional<watch::FanotifyGroup> group_;
    std::map<int, std::unique_ptr<Keeper>> keepers_; ///< by the descriptor of their link
    OutcomeQueue& outcomes_;
    const Clock& clock_;
    UniqueFd epoll_;
    TaskQueue<Task> tasks_;
    std::unique_ptr<Answerer> answerer_;
    watch::SystemFileInspector inspector_;
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
    std::vector<KeeperLink::Event> kept_events_;
    mutable std::mutex snapshot_mutex_;
    GateSnapshot snapshot_;
    std::thread thread_;
};

} // namespace picket::daemon
