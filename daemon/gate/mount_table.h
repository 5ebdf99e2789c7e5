#pragma once
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <picket/profile/policy.h>
#include <picket/watch/mount_scout.h>

#include "event_log.h"
#include "gate_loop.h"

namespace picket::daemon {

/// One file system as health shows it.
struct FilesystemState {
    enum class Status { protected_, unmarked, muted, unproved };
    std::string mount_point;
    std::string type;
    std::uint64_t device = 0;
    Status status = Status::unmarked;
    std::string reason;
    bool host_namespace = false;
};

/// Keeps the marks in step with what is mounted and what the policy wants, and has them proved: every kProveEvery the
/// scout opens a file of each file system, which the gate must have been asked about. A file system that fails this
/// kMaximumMisses times in a row is `unproved` until an open of it is seen again, and is marked anew. Works on the main
/// thread; states() on any.
class MountTable {
  public:
    MountTable(watch::MountScout scout, watch::KernelTier tier, GateLoop& gate, EventLog& events, const Clock& clock);

    int fd() const { return scout_.fd(); }
    /// False once the scout is gone: then the daemon ends, to be started afresh.
    bool on_readable();
    void set_policy(profile::PolicySnapshot policy);
    /// Asks for proofs when they are due, and takes what has come; about once a second.
    void on_tick();

    std::vector<FilesystemState> states() const;
    /// True once every namespace has been looked at and marked once.
    bool complete() const { return swept_.load(); }

  private:
    using Key = std::tuple<std::uint64_t, std::uint64_t, int>;
    static const Key kOverlays;
    static const Key kRest; ///< where there are more file systems behind servers than keepers
    Key key_of(const watch::MountReport& report) const;
    void apply(watch::MountReport&& report);
    /// What became of a mark: nothing while a keeper has not said it yet, else empty or why there is none.
    using Marked = std::optional<std::string>;
    Marked mark(const Key& key, const watch::MountReport& report);
    Marked mark_by_keeper(const Key& key, const watch::MountReport& report, bool put_away);
    struct Keeper;
    Result<Keeper*> keeper_for(const Key& key, bool put_away);
    std::optional<std::string> take_answer(Keeper& keeper, const Key& key, Milliseconds within);
    bool is_marked(const Key& key) const;
    void end_keeper(const Key& name);
    void take_late_answers();
    void take_lost_keepers();
    void on_lost(const Key& name, const std::string& why);
    std::string reason_to_mute(const watch::MountReport& report) const;
    bool wants_exec_events(const profile::Policy& policy) const;
    void refresh_host_mounts();
    void on_canary(const watch::MountReport& report);
    void on_proof(const Key& key, bool seen);
    void report_unwatched(const FilesystemState& state, const char* reason);

    /// What the gate's thread says of canaries; outlives whoever is slower.
    struct Proofs {
        std::mutex mutex;
        std::vector<std::pair<Key, bool>> answers;
    };
    /// Likewise: which keepers it has ended, and why.
    struct Lost {
        std::mutex mutex;
        std::vector<std::tuple<Key, std::size_t, std::string>> keepers; ///< name, slot, why
    };
    /// A process that reads the events of one file system (keeper.h), or of several.
    struct Keeper {
        watch::MountScout::Keeper process;
        std::deque<Key> awaited; ///< orders that are not answered yet, by file system
    };
    watch::MountScout scout_;
    std::map<Key, Keeper> keepers_; ///< by name: the file system, or kOverlays, kRest
    std::map<Key, Key> keeper_of_;  ///< file system → name
    struct Hung {
        MonotonicTime until; ///< then it is tried again
        std::string why;
        const watch::KeeperState* state = nullptr; ///< of that keeper, while it is
        std::int64_t since = 0;                    ///< this: it hangs in the call that it was given up for
    };
    std::map<Key, Hung> hung_; ///< whose keeper was lost
    std::shared_ptr<Lost> lost_ = std::make_shared<Lost>();
    std::optional<MonotonicTime> mark_again_at_;
    Milliseconds patience_{0}; ///< left in this turn for keepers that do not answer
    const watch::KernelTier tier_;
    GateLoop& gate_;
    EventLog& events_;
    const Clock& clock_;
    profile::PolicySnapshot policy_;
    bool exec_events_ = false;
    bool host_mounts_changed_ = false;
    std::atomic<bool> swept_{false};
    mutable std::mutex mutex_;
    std::map<Key, FilesystemState> states_;
    std::shared_ptr<Proofs> proofs_ = std::make_shared<Proofs>();
    std::map<Key, unsigned> misses_;
    MonotonicTime asked_for_proofs_{};
    MonotonicTime next_proofs_{};
};

} // namespace picket::daemon
