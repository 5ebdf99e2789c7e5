#include "event_text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::daemon {
namespace {

constexpr std::size_t kLineLimit = 2'000;

/// What an administrator should look at; everything else is the course of things.
constexpr std::array kWarnings = {EventType::threat_blocked,           EventType::threat_detected,
                                  EventType::quarantine_failed,        EventType::quarantine_refused,
                                  EventType::quarantine_brake_engaged, EventType::open_allowed_unscanned,
                                  EventType::open_denied_unscanned,    EventType::events_lost,
                                  EventType::filesystem_unmarked,      EventType::engine_lost,
                                  EventType::engine_worker_killed,     EventType::profile_refused,
                                  EventType::protection_weakened,      EventType::gate_killed,
                                  EventType::definitions_refused,      EventType::definitions_update_failed,
                                  EventType::build_expires_soon,       EventType::build_expired};

std::string where_text(const Event& event) {
    if (event.threat_name.empty())
        return event.path;
    return event.path.empty() ? event.threat_name : fmt::format("{} in {}", event.threat_name, event.path);
}

std::string who_text(const Event& event) {
    if (event.pid <= 0)
        return "";
    return event.process.empty() ? fmt::format(" (pid {})", event.pid)
                                 : fmt::format(" (pid {}, {})", event.pid, event.process);
}

bool is_utf8_continuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

} // namespace

Severity severity_of(const Event& event) {
    const bool warns = std::find(kWarnings.begin(), kWarnings.end(), event.type) != kWarnings.end();
    return warns && event.origin != EventOrigin::selftest ? Severity::warning : Severity::info;
}

std::string describe(const Event& event) {
    std::string line(to_string(event.type));
    if (!event.reason.empty())
        line += fmt::format(" ({})", event.reason);
    std::vector<std::string> parts;
    for (std::string part : {event.message, where_text(event) + who_text(event)})
        if (!part.empty())
            parts.push_back(std::move(part));
    if (event.count > 0)
        parts.push_back(fmt::format("count {}", event.count));
    if (!parts.empty())
        line += ": " + join(parts, ", ");
    return display_text(line, kLineLimit);
}

std::vector<EventField> fields_of(const Event& event) {
    const auto number = [](auto value, bool applies) { return applies ? fmt::format("{}", value) : std::string(); };
    std::vector<EventField> fields = {{"event_id", event_id(event)},
                                      {"sequence", number(event.sequence, event.sequence > 0)},
                                      {"type", std::string(to_string(event.type))},
                                      {"time", to_rfc3339(event.time)},
                                      {"boot_id", event.boot_id},
                                      {"monotonic_ms", number(event.monotonic_ms, event.monotonic_ms > 0)},
                                      {"origin", std::string(to_string(event.origin))},
                                      {"path", event.path},
                                      {"threat_name", event.threat_name},
                                      {"sha256", event.sha256},
                                      {"threat_id", event.threat_id},
                                      {"scan_id", event.scan_id},
                                      {"reason", event.reason},
                                      {"count", number(event.count, event.count > 0)},
                                      {"pid", number(event.pid, event.pid > 0)},
                                      {"uid", number(event.uid, event.uid >= 0)},
                                      {"process", event.process},
                                      {"message", event.message},
                                      {"digest", event.digest}};
    std::erase_if(fields, [](const EventField& field) { return field.value.empty(); });
    return fields;
}

std::string display_text(std::string_view bytes, std::size_t limit) {
    std::string text = escape_for_display(bytes);
    if (text.size() <= limit)
        return text;
    std::size_t end = limit;
    while (end > 0 && is_utf8_continuation(text[end]))
        --end;
    return text.substr(0, end) + "…";
}

} // namespace picket::daemon
