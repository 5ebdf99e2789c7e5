#include "headers.h"

#include <algorithm>
#include <ctime>
#include <string>

#include <picket/base/text.h>

namespace picket::net {
namespace {

constexpr std::chrono::seconds kLongestWait{86'400};
constexpr std::size_t kLongestValue = 256;
constexpr long kPartial = 206;

/// An ETag or a date goes back to the server as it came: printable and short, or not at all.
std::string validator(std::string_view value) {
    const bool good = value.size() <= kLongestValue &&
                      std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    return good ? std::string(value) : "";
}

/// "bytes 100-199/200": where it begins.
std::optional<std::uint64_t> range_start(std::string_view value) {
    constexpr std::string_view kUnit = "bytes ";
    if (!value.starts_with(kUnit))
        return std::nullopt;
    value.remove_prefix(kUnit.size());
    return parse_unsigned(value.substr(0, value.find('-')));
}

} // namespace

void HeaderReader::line(std::string_view line) {
    line = trim(line);
    if (line.starts_with("HTTP/")) {
        const auto blank = line.find(' ');
        response_ = {};
        range_start_.reset();
        if (blank != std::string_view::npos)
            response_.status = static_cast<long>(parse_unsigned(line.substr(blank + 1, 3)).value_or(0));
        return;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos)
        return;
    const std::string name = to_lower(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (name == "etag")
        response_.etag = validator(value);
    else if (name == "last-modified")
        response_.last_modified = validator(value);
    else if (name == "retry-after")
        response_.retry_after = parse_retry_after(value, std::chrono::system_clock::now());
    else if (name == "content-range")
        range_start_ = range_start(value);
}

std::optional<std::uint64_t> HeaderReader::content_offset(std::uint64_t asked) const {
    if (response_.status != kPartial)
        return 0;
    if (asked == 0 || range_start_ != asked)
        return std::nullopt;
    return asked;
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value,
                                                      std::chrono::system_clock::time_point now) {
    if (const auto seconds = parse_unsigned(value))
        return std::min(std::chrono::seconds(std::min<std::uint64_t>(*seconds, 86'400)), kLongestWait);
    std::tm time{};
    const std::string text(value);
    const char* const end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
    if (end == nullptr || *end != '\0')
        return std::nullopt;
    const auto when = std::chrono::system_clock::from_time_t(timegm(&time));
    if (when <= now)
        return std::chrono::seconds(0);
    return std::min(std::chrono::ceil<std::chrono::seconds>(when - now), kLongestWait);
}

} // namespace picket::net
