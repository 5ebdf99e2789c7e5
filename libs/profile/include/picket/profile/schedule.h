#pragma once
#include <array>
#include <optional>
#include <string_view>

#include <picket/base/clock.h>
#include <picket/profile/policy.h>

namespace picket::profile {

enum class ScheduledScan { daily_quick, interval_quick, weekly };
inline constexpr std::array kScheduledScans{ScheduledScan::daily_quick, ScheduledScan::interval_quick,
                                            ScheduledScan::weekly};
/// Stable: under this name the time of the last one is stored.
std::string_view to_string(ScheduledScan scan);

/// Whether this scan is due at `now`, given when it began last (or when the schedule was first looked at). `delay` is
/// this host's share of the spreading. One that was missed is due once, however often it was missed. Local time is the
/// host's (TZ, /etc/localtime). Pure but for that.
bool is_due(const ScanScheduleSettings& settings, ScheduledScan scan, WallTime last, WallTime now, Milliseconds delay);

/// This host's share: the same at each start, different from host to host, below `spread_hours`.
Milliseconds spread_delay(std::string_view host_id, unsigned spread_hours);

} // namespace picket::profile
