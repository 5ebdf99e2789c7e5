#include "syslog_sink.h"

#include <algorithm>
#include <array>
#include <sys/utsname.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <picket/base/bytes.h>
#include <picket/base/text.h>

namespace picket::daemon {
namespace {

constexpr std::size_t kMessageLimit = 8'000;
constexpr std::size_t kShownLimit = 1'000; ///< of a value that comes whole as base64, too
constexpr std::string_view kUnixPrefix = "unix:";
/// 32473 is the enterprise number that RFC 5612 sets aside for whoever has none.
constexpr std::string_view kDataId = "picket@32473";

constexpr std::array<std::pair<std::string_view, int>, 12> kFacilities = {{{"user", 1},
                                                                           {"daemon", 3},
                                                                           {"auth", 4},
                                                                           {"authpriv", 10},
                                                                           {"local0", 16},
                                                                           {"local1", 17},
                                                                           {"local2", 18},
                                                                           {"local3", 19},
                                                                           {"local4", 20},
                                                                           {"local5", 21},
                                                                           {"local6", 22},
                                                                           {"local7", 23}}};

std::string parameter(std::string_view name, std::string_view suffix, std::string_view value) {
    std::string text = fmt::format(" {}{}=\"", name, suffix);
    for (const char c : value) {
        if (c == '"' || c == '\\' || c == ']')
            text += '\\';
        text += c;
    }
    return text + '"';
}

std::string parameters_of(const EventField& field) {
    if (escape_for_display(field.value) == field.value)
        return parameter(field.name, "", field.value);
    return parameter(field.name, "", display_text(field.value, kShownLimit)) +
           parameter(field.name, "_b64", to_base64(as_bytes(field.value)));
}

/// The structured data, in at most `limit` bytes.
std::string data_of(const Event& event, std::size_t limit) {
    constexpr std::string_view kTruncated = " truncated=\"1\"";
    std::string data = fmt::format("[{}", kDataId);
    bool truncated = false;
    for (const EventField& field : fields_of(event)) {
        const std::string text = parameters_of(field);
        const bool fits = data.size() + text.size() + kTruncated.size() + 1 <= limit;
        data += fits ? text : "";
        truncated = truncated || !fits;
    }
    return data + (truncated ? std::string(kTruncated) : "") + "]";
}

/// A host's name as the header takes it: visible ASCII.
std::string header_name(std::string_view name) {
    const bool plain = !name.empty() && name.size() <= 255 &&
                       std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
    return plain ? std::string(name) : "-";
}

} // namespace

std::string syslog_message(const Event& event, const SyslogOrigin& origin) {
    const std::string head =
        fmt::format("<{}>1 {} {} picketd {} {} ", origin.facility * 8 + static_cast<int>(severity_of(event)),
                    to_rfc3339(event.time), header_name(origin.host_name), origin.pid, to_string(event.type));
    const std::string data = data_of(event, kMessageLimit - head.size());
    const std::size_t used = head.size() + data.size() + 4; // a space before the text, and what shows that it was cut
    const std::string text = used < kMessageLimit ? display_text(describe(event), kMessageLimit - used) : "";
    return fmt::format("{}{} {}", head, data, text);
}

int syslog_facility(std::string_view name) {
    const auto* found = std::find_if(kFacilities.begin(), kFacilities.end(),
                                     [&](const auto& facility) { return facility.first == name; });
    return found == kFacilities.end() ? SyslogOrigin{}.facility : found->second;
}

SyslogSink::SyslogSink(std::string root) : root_(std::move(root)) {
    utsname host{};
    if (uname(&host) == 0)
        origin_.host_name = host.nodename;
    origin_.pid = getpid();
}

void SyslogSink::configure(std::string_view target, std::string_view facility) {
    const std::lock_guard lock(mutex_);
    origin_.facility = syslog_facility(facility);
    sender_ = target.starts_with(kUnixPrefix)
                  ? std::make_unique<DatagramSender>(root_ + std::string(target.substr(kUnixPrefix.size())))
                  : nullptr;
}

void SyslogSink::send(const Event& event) {
    const std::lock_guard lock(mutex_);
    if (sender_ && !sender_->send(syslog_message(event, origin_)))
        ++dropped_;
}

std::uint64_t SyslogSink::dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
}

} // namespace picket::daemon
