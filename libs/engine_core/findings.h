#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <picket/model/verdict.h>

/// libclamav's answers in our words. Pure.
namespace picket::engine_core {

/// The name as it is shown: without ".UNOFFICIAL", printable ASCII, at most 127 bytes, never empty.
std::string shown_name(std::string_view name);

/// What one alert means; flags (scan::ScanFlags) decide whether a weak alert counts.
enum class AlertKind { malicious, potentially_unwanted, limit_exceeded, not_wanted };
AlertKind kind_of_alert(std::string_view name, std::uint32_t flags);

/// Of several alerts the worst: malicious, then a passed limit (something may be behind it), then unwanted.
Finding finding_from_alerts(const std::vector<std::string>& names, std::uint32_t flags);

/// For a libclamav return code other than clean and virus.
Verdict verdict_from_error(int code);

} // namespace picket::engine_core
