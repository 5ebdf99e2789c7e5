#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/model/event.h>

namespace picket::daemon {

/// The levels of syslog(3), which are the journal's.
enum class Severity { error = 3, warning = 4, info = 6 };
Severity severity_of(const Event& event);

/// One line for people: what, where, who. Bytes that a terminal must not see are escaped; at most some 2 KiB.
std::string describe(const Event& event);

/// What an event has, by the names of docs/control-protocol.md; the values are bytes as they were recorded. What does
/// not apply is left out.
struct EventField {
    std::string_view name;
    std::string value;
};
std::vector<EventField> fields_of(const Event& event);

/// escape_for_display(), cut between characters where it is longer than `limit` bytes.
std::string display_text(std::string_view bytes, std::size_t limit);

} // namespace picket::daemon
