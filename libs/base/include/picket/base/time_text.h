#pragma once
#include <optional>
#include <string_view>

#include <picket/base/clock.h>

namespace picket {

/// 2026-11-24T22:56:51Z or with milliseconds, as to_rfc3339() writes it, or a bare date (its midnight, UTC). Years 1970
/// to 2261; a day that does not exist is nothing.
std::optional<WallTime> parse_time(std::string_view text);
/// "90d", "12h", "30m", at most 3650 days and more than nothing.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

} // namespace picket
