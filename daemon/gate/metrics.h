#pragma once
#include <string>

#include <picket/base/result.h>
#include <picket/data/json.h>
#include <picket/gate/outcome.h>

namespace picket::daemon {

/// Prometheus' text format (version 0.0.4), from what `health` answers and the gate's counters.
std::string metrics_text(const data::Json& health, const gate::GateStatistics& statistics, WallTime now);

/// Replaces picket.prom in that folder, which must be root's alone to write to. Not synced: after a power cut the next
/// one comes soon.
Result<void> write_metrics(const std::string& directory, const std::string& text);

} // namespace picket::daemon
