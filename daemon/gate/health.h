#pragma once
#include <picket/data/json.h>

#include "aftermath.h"
#include "build_expiry.h"
#include "engine_probe.h"
#include "gate_loop.h"
#include "mount_table.h"
#include "policy_keeper.h"

namespace picket::daemon {

/// Facts of this start that health tells.
struct GateFacts {
    bool available = false;      ///< there is a fanotify group
    std::string why_unavailable; ///< else
    watch::KernelTier tier;      ///< what this kernel can watch
    bool switched_off = false;   ///< picket.off on the kernel command line
    bool store_recovered = false;
    std::string store_fallback; ///< why records go to the run directory; empty where they do not
};

/// Other products that hold permission marks, as they were found last. Thread-safe.
class Conflicts {
  public:
    void set(std::vector<std::string> products) {
        std::lock_guard lock(mutex_);
        products_ = std::move(products);
    }
    std::vector<std::string> get() const {
        std::lock_guard lock(mutex_);
        return products_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<std::string> products_;
};

struct HealthSources {
    const GateFacts& facts;
    const Conflicts& conflicts;
    const GateLoop& gate;
    const MountTable* mounts; ///< null where there is no group
    const PolicyKeeper& policy;
    const EventLog& events;
    const Aftermath& aftermath;
    const Brake& brake;
    const PackageGuard& packages;
    const OutcomeQueue& outcomes;
    const EngineProbe& probe;
    const BuildExpiry& expiry;
    const sys::Root& root;
    const Clock& clock;
};

/// The `health` of docs/control-protocol.md: what is proved now, and every reason why it is not enough.
data::Json health(const HealthSources& sources);
/// The gate's counters under the names of `health` and `statistics`.
data::Json statistics_json(const gate::GateStatistics& statistics);

} // namespace picket::daemon
