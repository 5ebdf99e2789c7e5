#pragma once
#include <string>

#include <picket/profile/schedule.h>

#include "scan_manager.h"

namespace picket::daemon {

/// Begins the scans of the profile's schedule; the time of the last of each is kept in state.db, so that a missed one
/// is made up for after a restart. Main thread.
class ScanScheduler {
  public:
    /// `on_running_host`: false for a prepared image or another tree, which is never warmed up.
    ScanScheduler(ScanManager& scans, store::Store& store, PolicyKeeper& policy, std::string host_id,
                  bool on_running_host, const Clock& clock)
        : scans_(scans), store_(store), policy_(policy), host_id_(std::move(host_id)), clock_(clock),
          started_(clock.monotonic()), warm_up_settled_(!on_running_host) {}

    /// About once a second.
    void on_tick();

  private:
    void consider_warm_up(const profile::Policy& policy);
    void consider(profile::ScheduledScan scan, const profile::ScanScheduleSettings& settings);
    WallTime last_time(profile::ScheduledScan scan, WallTime now);
    void remember(profile::ScheduledScan scan, WallTime when);

    ScanManager& scans_;
    store::Store& store_;
    PolicyKeeper& policy_;
    const std::string host_id_;
    const Clock& clock_;
    const MonotonicTime started_;
    MonotonicTime next_look_{};
    bool warm_up_settled_; ///< it took place, or is not needed
};

/// Whether these records are of a host whose cache no scan has filled yet. `settled`: an earlier daemon found so.
bool needs_warm_up(bool settled, const std::vector<ScanRecord>& scans);

} // namespace picket::daemon
