#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <picket/base/clock.h>
#include <picket/gate/activity.h>
#include <picket/gate/fair_queue.h>
#include <picket/gate/held_open.h>
#include <picket/gate/ignore_marks.h>
#include <picket/gate/outcome.h>
#include <picket/gate/recent_opens.h>
#include <picket/gate/verdict_cache.h>
#include <picket/profile/policy.h>
#include <picket/scan/engine_protocol.h>
#include <picket/watch/fanotify_group.h>

namespace picket::gate {

using WorkerId = std::uint64_t;

/// How requests reach an engine worker. Never blocks.
class EnginePort {
  public:
    virtual ~EnginePort() = default;
    /// `file`: a descriptor of the file, or of the socket that it lies in (kScanPutAway).
    /// False where the worker cannot be reached: it counts as lost, and on_worker_lost() is not called for it.
    virtual bool submit(WorkerId worker, const scan::ScanRequest& request, int file) = 0;
    virtual void kill_worker(WorkerId worker) = 0;
};

/// A scan asked for by an administrator. `done` runs on the gate's thread and must only hand the result on.
struct ScanJob {
    std::uint64_t id = 0; ///< not 0
    watch::EventFile file;
    bool report_only = false;  ///< only `done` hears of a threat: no record, no remedy
    bool low_priority = false; ///< reads and computes when nobody else wants to
    EventOrigin origin = EventOrigin::scan;
    std::string path;
    struct Result {
        std::uint64_t id = 0;
        Finding finding;
        std::uint64_t bytes = 0;
        std::string path;
    };
    std::function<void(Result&&)> done;
};

struct GateLimits {
    /// Each costs a descriptor, and the kernel wakes all that wait for every answer: 1,000 are answered in 0.15 s,
    /// 4,000 in 2 s. Above, the failure policy answers at once.
    std::size_t held_opens = 1'024;
    std::size_t held_opens_of_one = 768; ///< of one user: the rest is for the others
    std::size_t queued_closes = 1'024;   ///< oldest go first: the next open scans it anyway
    std::size_t queued_jobs = 256;
    unsigned crashes_per_file = 2;     ///< then the file is not tried again under these definitions
    std::size_t pinned_files = 16'384; ///< ignore marks, where each keeps an inode in memory; then all are dropped
    std::size_t stalled_opens = 3; ///< that many deadlines without any answer since they opened: the engine is stopped
};

/// Decides every held open. Pure: all it knows of the world comes through the ports, so the tests drive it with fakes
/// and a hand-moved clock. One thread calls it (the gate's loop); it opens nothing and waits for nothing.
class Gate {
  public:
    struct Ports {
        Responder& responder;
        EnginePort& engine;
        OutcomeSink& sink;
        watch::FileInspector& inspector;
        IgnoreMarks& marks;
        const Clock& clock;
    };
    Gate(Ports ports, pid_t own_pid, profile::PolicySnapshot policy, GateLimits limits = {});
    ~Gate();

    /// Processes whose opens are ours, as `own_pid`'s are: a keeper's reading may open what lies behind a file.
    void add_own_process(pid_t pid) { own_processes_.insert(pid); }
    void remove_own_process(pid_t pid) { own_processes_.erase(pid); }

    // From the kernel.
    void on_event(watch::KernelEvent&& event);

    // From the engine.
    /// `version`: of the engine itself; another one is as good as other definitions.
    void on_engine_ready(const std::string& definitions, const std::string& version = "");
    void on_engine_lost(const std::string& why);
    /// `definitions`: the generation it was forked with; verdicts of an older one are used but not remembered.
    void on_worker_ready(WorkerId worker, const std::string& definitions);
    void on_worker_reply(WorkerId worker, const scan::ScanReply& reply);
    void on_worker_lost(WorkerId worker);
    /// The supervisor answered, or has not answered for too long (then the failure policy answers at once).
    void on_engine_alive();
    void on_engine_silent();

    // From the rest of the daemon.
    void set_policy(profile::PolicySnapshot policy);
    void set_host_mounts(std::shared_ptr<const std::unordered_set<int>> mount_ids);
    /// Files that are allowed without a scan: (device, inode, ctime) of what the package installed.
    void set_preapproved(std::shared_ptr<const std::unordered_set<watch::FileKey, watch::FileKeyHash>> files);
    /// Detections on this inode until then come from the self-test.
    void expect_selftest(std::uint64_t device, std::uint64_t inode, MonotonicTime until);
    /// While set, every threat's digest is compared before it is denied.
    void set_has_allowances(bool any) { has_allowances_ = any; }
    void on_digest_checked(std::uint64_t scan, bool allowed);
    /// False where the queue is full: try later; the job is untouched then.
    bool submit_job(ScanJob&& job);
    /// What an earlier process knew to be clean: counts where policy, engine and definitions are the same, each once
    /// its file is seen to be the same.
    struct Restored {
        std::string engine;
        std::string definitions;
        std::uint64_t policy = 0;
        std::vector<CleanVerdict> verdicts;
    };
    void restore_verdicts(Restored restored);
    /// What is known to be clean and may outlive the process.
    std::vector<CleanVerdict> clean_verdicts() const { return cache_.clean_verdicts(); }
    /// A file system is gone: what comes at its device number may be another.
    void forget_device(std::uint64_t device) { cache_.forget_device(device); }
    /// No verdict answers any more, and the kernel asks about every file again.
    void forget_verdicts();

    /// Answers what is past its deadline; call at least as often as next_deadline() asks.
    void on_tick();
    std::optional<MonotonicTime> next_deadline() const;
    /// True while no held open is older than its deadline and a second allow: what the heartbeat says.
    bool is_healthy() const;

    const GateStatistics& statistics() const { return statistics_; }
    std::size_t held_opens() const { return held_count_; }
    std::size_t worker_count() const { return workers_.size(); }
    /// On any thread: whether exactly this content was found clean under the definitions and the policy in force.
    bool knows_clean(const watch::FileKey& key) const { return cache_.knows_clean(key); }
    std::size_t cached_verdicts() const { return cache_.size(); }
    bool engine_present() const { return engine_ready_; }
    bool engine_stopped() const { return engine_stopped_; }
    const std::string& definitions() const { return definitions_; }
    const std::string& engine_version() const { return engine_version_; }
    std::uint64_t policy_generation() const { return policy_->generation; }
    /// Whether the kernel asked about an open of this file since then. From now on it always will: the file is one by
    /// which protection is proved.
    bool is_canary_seen(std::uint64_t device, std::uint64_t inode, MonotonicTime since);
    const Activity& activity() const { return activity_; }

  private:
    struct Scan;
    using ScanId = std::uint64_t;
    enum class Lane { open, close_write, old_verdict, job };
    static constexpr std::size_t kLanes = 4;
    struct Worker {
        ScanId busy_with = 0; ///< 0 = idle
        std::string definitions;
    };

    void on_permission(watch::KernelEvent&& event);
    void on_close_write(watch::KernelEvent&& event);
    void on_overflow();
    void note(const HeldOpen& held, const watch::FileFacts& facts);
    void note_duration(const Scan& scan);
    bool answer_from_policy(HeldOpen& held, const watch::FileFacts& facts);
    bool answer_from_cache(HeldOpen& held, const watch::FileFacts& facts, bool stable);
    std::optional<Finding> find_verdict(int fd, const watch::FileKey& key);
    void take_restored();
    bool answer_from_old_verdict(HeldOpen& held, const watch::FileFacts& facts);
    bool is_excluded(int fd, pid_t pid) const;
    bool is_preapproved(const watch::FileFacts& facts) const;
    /// May a verdict on this file, as it is now, be used or stored?
    bool is_stable(const watch::EventFile& file, const watch::FileFacts& facts);
    watch::FilesystemKind kind_of(const watch::EventFile& file, const watch::FileFacts& facts);
    /// Answers by policy; gives the descriptor back for a scan that goes on.
    watch::EventFile fail_open(HeldOpen&& held, FailureReason reason, const watch::FileKey& key);
    void enqueue(std::unique_ptr<Scan> scan, bool joinable);
    std::unique_ptr<Scan> take_scan(ScanId id);
    void join_or_enqueue(HeldOpen&& held, const watch::FileFacts& facts, bool stable);
    void dispatch();
    bool send_to(WorkerId worker, Scan& scan);
    Scan* next_scan();
    void note_off_worker(const Scan& scan);
    static bool is_background(Lane lane) { return lane == Lane::old_verdict || lane == Lane::job; }
    FairQueue& lane_of(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }
    void conclude(ScanId id, const Finding& finding);
    void conclude_threat(std::unique_ptr<Scan> scan, const Finding& finding, bool allowed_by_digest);
    void answer_waiters(Scan& scan, Decision decision);
    void hold(const HeldOpen& held);
    void let_go(const HeldOpen& held);
    bool has_room_for(uid_t owner) const;
    void fail_scan(ScanId id, FailureReason reason);
    void fail_everything(FailureReason reason);
    bool blocks(const Finding& finding) const;
    /// At the level real_time.
    bool would_block(const Finding& finding) const;
    bool is_audit() const { return policy_->enforcement_level == profile::EnforcementLevel::audit; }
    bool reports(const Finding& finding) const;
    EventOrigin origin_of(const watch::FileKey& key, EventOrigin otherwise);
    void worker_gone(WorkerId worker, FailureReason reason);
    void expire_waiters(MonotonicTime now);
    void kill_overdue(MonotonicTime now);
    void set_stopped(bool stopped);
    void requeue_or_fail(ScanId id, FailureReason reason);
    bool may_be_ignored(int fd, const watch::FileFacts& facts);
    void stop_asking(int fd, const watch::FileFacts& facts);
    void ask_again(int fd);
    void ask_about_everything();
    void remember(Scan& scan, const Finding& finding, const std::string& definitions);
    void finish_job(Scan& scan, const Finding& finding);
    void allow(HeldOpen& held);
    void need_wake(MonotonicTime when);

    Ports ports_;
    std::set<pid_t> own_processes_;
    profile::PolicySnapshot policy_;
    const GateLimits limits_;
    VerdictCache cache_;
    GateStatistics statistics_;
    RecentOpens recent_opens_;
    std::set<std::pair<std::uint64_t, std::uint64_t>> canaries_; ///< (device, inode)
    std::size_t ignored_ = 0;                                    ///< marks set since the last flush of all
    Activity activity_;

    bool engine_ready_ = false;
    bool engine_stopped_ = false;
    bool engine_silent_ = false;
    std::size_t deadlines_in_a_row_ = 0;
    MonotonicTime last_answer_{}; ///< of any worker
    std::string definitions_;
    std::optional<MonotonicTime> definitions_changed_;
    std::string engine_version_;
    Restored restored_; ///< until the engine says what it judges by
    bool has_allowances_ = false;

    std::map<WorkerId, Worker> workers_;
    ScanId next_scan_id_ = 1;
    std::unordered_map<ScanId, std::unique_ptr<Scan>> scans_;
    std::unordered_map<watch::FileKey, ScanId, watch::FileKeyHash> joinable_;
    FairQueue lanes_[kLanes];
    std::size_t running_background_ = 0;
    std::size_t running_put_away_ = 0; ///< files behind a server
    std::size_t held_count_ = 0;
    std::unordered_map<uid_t, std::size_t> held_by_; ///< of held_count_
    std::optional<MonotonicTime> wake_at_;
    MonotonicTime report_window_{};
    unsigned reported_in_window_ = 0;
    std::unordered_map<watch::FileKey, unsigned, watch::FileKeyHash> crashes_;

    std::shared_ptr<const std::unordered_set<int>> host_mounts_;
    std::shared_ptr<const std::unordered_set<watch::FileKey, watch::FileKeyHash>> preapproved_;
    struct SelfTest {
        std::uint64_t device;
        std::uint64_t inode;
        MonotonicTime until;
    };
    std::vector<SelfTest> selftests_;
};

} // namespace picket::gate
