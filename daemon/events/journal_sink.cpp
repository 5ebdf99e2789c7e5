#include "journal_sink.h"

#include <fmt/format.h>

namespace picket::daemon {
namespace {

/// NAME=value, or where the value has a line end NAME, its length as 64 bits with the lowest byte first, and the value.
void add_field(std::string& entry, std::string_view name, std::string_view value) {
    entry += name;
    if (value.find('\n') == std::string_view::npos) {
        entry += '=';
    } else {
        entry += '\n';
        for (unsigned shift = 0; shift < 64; shift += 8)
            entry += static_cast<char>(static_cast<std::uint64_t>(value.size()) >> shift);
    }
    entry += value;
    entry += '\n';
}

/// PICKET_EVENT_TYPE and PICKET_EVENT_ID; else PICKET_ and the field's own name.
std::string journal_name(std::string_view field) {
    std::string name(field == "type" ? "PICKET_EVENT_" : "PICKET_");
    for (const char c : field)
        name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return name;
}

} // namespace

std::string journal_entry(const Event& event) {
    std::string entry;
    add_field(entry, "MESSAGE", describe(event));
    add_field(entry, "PRIORITY", fmt::format("{}", static_cast<int>(severity_of(event))));
    add_field(entry, "SYSLOG_IDENTIFIER", "picketd");
    for (const EventField& field : fields_of(event))
        add_field(entry, journal_name(field.name), field.value);
    return entry;
}

void JournalSink::send(const Event& event) {
    const auto sent = sender_.send(journal_entry(event));
    if (!sent && sent.error().code() != ErrorCode::not_found)
        dropped_.fetch_add(1, std::memory_order_relaxed);
}

} // namespace picket::daemon
