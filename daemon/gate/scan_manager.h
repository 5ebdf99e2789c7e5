#pragma once
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "scan_run.h"

namespace picket::daemon {

/// The scans that run, those that wait to go on after a restart, and single files of callers. Thread-safe.
class ScanManager {
  public:
    using Watcher = ScanRun::Watcher;
    struct Request {
        ScanKind kind = ScanKind::custom;
        ScanOrigin origin = ScanOrigin::manual;
        UniqueFd start;   ///< custom
        std::string path; ///< custom: its label
        bool ignore_exclusions = false;
        bool low_priority = false;
        Watcher watcher;
    };
    explicit ScanManager(ScanRun::Ports ports) : ports_(ports) {}
    ~ScanManager();
    ScanManager(const ScanManager&) = delete;
    ScanManager& operator=(const ScanManager&) = delete;

    /// The scan's id. exhausted: too many run; unavailable: there is no engine.
    Result<std::string> start(Request request);
    /// Scans that the last daemon left: they go on at on_tick() once an engine is there.
    void adopt(std::vector<ScanRecord> interrupted);
    void on_tick();
    /// What became of a file that a job found malware in. Any thread.
    void on_finding(std::uint64_t job, const std::string& path, const std::string& threat, const std::string& action);
    /// Empty id: all. Gives those it has told to stop.
    std::vector<std::string> cancel(const std::string& id);
    /// One file of a caller, without record or remedy; `done` comes on the gate's thread.
    void scan_file(watch::EventFile file, const std::string& path, std::function<void(const Finding&)> done);
    /// Running scans as they are now.
    std::vector<ScanRecord> running() const;
    /// The daemon ends: they go on at the next start.
    void stop_all();

  private:
    void begin(ScanRecord record, UniqueFd start, Watcher watcher);
    bool go_on(ScanRecord record);
    void give_up(ScanRecord record, ScanStatus status, std::string message);
    void reap();

    static constexpr std::size_t kMaximumScans = 4;
    static constexpr std::uint64_t kMaximumInterruptions = 5; ///< a scan that ends the daemon must not do so for ever
    ScanRun::Ports ports_;
    std::atomic<std::uint64_t> next_job_{1};
    mutable std::mutex mutex_;
    std::condition_variable ended_;
    struct Running {
        std::shared_ptr<ScanRun> run;
        std::thread thread;
    };
    std::map<std::string, Running> scans_;
    std::vector<std::thread> finished_;
    std::vector<ScanRecord> waiting_;
};

} // namespace picket::daemon
