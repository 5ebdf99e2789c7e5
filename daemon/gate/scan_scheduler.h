#pragma once
#include <string>

#include <picket/profile/schedule.h>

#include "scan_manager.h"

namespace picket::daemon {

/// Begins the scans of the profile's schedule; the time of the last of each is kept in state.db, so that a missed one
/// is made up for after a restart. Main thread.
class ScanScheduler {
  public:
    ScanScheduler(ScanManager& scans, store::Store& store, PolicyKeeper& policy, std::string host_id,
                  const Clock& clock)
        : scans_(scans), store_(store), policy_(policy), host_id_(std::move(host_id)), clock_(clock) {}

    /// About once a second.
    void on_tick();

  private:
    void consider(profile::ScheduledScan scan, const profile::ScanScheduleSettings& settings);
    WallTime last_time(profile::ScheduledScan scan, WallTime now);
    void remember(profile::ScheduledScan scan, WallTime when);

    ScanManager& scans_;
    store::Store& store_;
    PolicyKeeper& policy_;
    const std::string host_id_;
    const Clock& clock_;
    MonotonicTime next_look_{};
};

} // namespace picket::daemon
