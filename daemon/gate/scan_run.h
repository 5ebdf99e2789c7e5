#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <picket/data/json.h>
#include <picket/ipc/seqpacket.h>
#include <picket/scan/tree_walker.h>
#include <picket/store/store.h>

#include "aftermath.h"
#include "errands.h"
#include "gate_loop.h"
#include "policy_keeper.h"

namespace picket::daemon {

/// One on-demand scan: walks on the thread that calls run() and feeds the gate's job lane, never more than a few files
/// at a time. Its record says at any time where it would go on. Thread-safe but for run().
class ScanRun : public std::enable_shared_from_this<ScanRun> {
  public:
    struct Ports {
        GateLoop& gate;
        store::Store& store;
        PolicyKeeper& policy;
        Aftermath& aftermath;
        const Errands& errands;
        const Clock& clock;
    };
    /// Progress and findings go here, on the scan's or the aftermath's thread: (method, parameters).
    using Watcher = std::function<void(const std::string&, const data::Json&)>;

    /// `start`: of a custom scan. `next_job` numbers the jobs of all scans.
    ScanRun(Ports ports, ScanRecord record, UniqueFd start, Watcher watcher, std::atomic<std::uint64_t>& next_job)
        : ports_(ports), record_(std::move(record)), start_(std::move(start)), watcher_(std::move(watcher)),
          next_job_(next_job) {}

    void run();
    /// Ends it as cancelled, or as interrupted where the daemon ends.
    void stop(ScanStatus as);
    ScanRecord record() const;
    /// What became of a threat that one of its jobs found; false where the job is another scan's.
    bool on_finding(std::uint64_t job, const std::string& path, const std::string& threat, const std::string& action);

  private:
    struct Place {
        std::string path;
        UniqueFd fd;
        bool served = false; ///< by a server that may not answer
    };
    std::vector<std::string> place_paths() const;
    std::vector<Place> open_places();
    void walk(Place& place, const std::string& resume_from);
    scan::WalkOptions options() const;
    void count(const std::vector<Place>& places);
    bool is_known(const std::string& path, const struct stat& status);
    bool visit(UniqueFd file, const std::string& path, const struct stat& status);
    bool walk_served(int directory, const std::string& name, const std::string& path, const std::string& resume_from);
    void let_walk(const std::shared_ptr<ipc::FileSocket>& errand, pid_t walker);
    bool follow_walk(const std::shared_ptr<ipc::FileSocket>& errand, const std::string& path, pid_t& walker);
    bool take_walked(ipc::Message&& message, const std::string& path, const scan::WalkOptions& rules);
    void note_failure(const std::string& message, std::uint64_t files = 1);
    bool submit(watch::EventFile file, const std::string& path);
    bool await_room(std::unique_lock<std::mutex>& lock);
    void on_result(const gate::ScanJob::Result& result);
    void report_progress(bool force);
    void finish();
    bool stopped() const { return stopped_.load(); }

    Ports ports_;
    mutable std::mutex mutex_;
    ScanRecord record_;
    UniqueFd start_;
    const Watcher watcher_;
    std::atomic<std::uint64_t>& next_job_;
    std::atomic<bool> stopped_{false};
    ScanStatus stopped_as_ = ScanStatus::cancelled;
    std::condition_variable room_;
    std::size_t in_flight_ = 0;
    /// In the walk's order; a threat's job stays until the aftermath has told what became of it.
    std::map<std::uint64_t, std::string> jobs_;
    std::string current_;
    std::uint64_t files_visited_ = 0;
    std::atomic<std::uint64_t> files_total_{0}; ///< 0 = not known yet
    MonotonicTime last_progress_{};
    MonotonicTime last_saved_{};
};

data::Json to_json(const ScanRecord& scan);

} // namespace picket::daemon
