#include <picket/base/time_text.h>

#include <picket/base/text.h>

namespace picket {
namespace {

/// `size` digits at `at`; nothing where there are others.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t size) {
    if (at + size > text.size())
        return std::nullopt;
    int value = 0;
    for (const char c : text.substr(at, size)) {
        if (c < '0' || c > '9')
            return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

std::optional<WallTime> parse_date(std::string_view text) {
    const auto year = digits(text, 0, 4);
    const auto month = digits(text, 5, 2);
    const auto day = digits(text, 8, 2);
    if (text.size() != 10 || text[4] != '-' || text[7] != '-' || !year || !month || !day || *year < 1970)
        return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok() || *year > 2261) // the nanoseconds of system_clock end in 2262
        return std::nullopt;
    return WallTime(std::chrono::sys_days(date));
}

std::optional<std::chrono::milliseconds> parse_clock(std::string_view text) {
    const auto hour = digits(text, 0, 2);
    const auto minute = digits(text, 3, 2);
    const auto second = digits(text, 6, 2);
    const bool has_fraction = text.size() == 13;
    const auto millisecond = has_fraction ? digits(text, 9, 3) : std::optional<int>(0);
    if ((text.size() != 9 && !has_fraction) || text[2] != ':' || text[5] != ':' || (has_fraction && text[8] != '.') ||
        text.back() != 'Z' || !hour || !minute || !second || !millisecond || *hour > 23 || *minute > 59 || *second > 59)
        return std::nullopt;
    return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second) +
           std::chrono::milliseconds(*millisecond);
}

} // namespace

std::optional<WallTime> parse_time(std::string_view text) {
    const auto date = parse_date(text.substr(0, 10));
    if (!date || text.size() <= 10)
        return date;
    const auto clock = parse_clock(text.substr(11));
    if (text[10] != 'T' || !clock)
        return std::nullopt;
    return *date + *clock;
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
    constexpr std::chrono::seconds kLongest = std::chrono::hours(24 * 3650);
    if (text.empty())
        return std::nullopt;
    const auto number = parse_unsigned(text.substr(0, text.size() - 1));
    const std::int64_t unit = text.back() == 'd' ? 86'400 : text.back() == 'h' ? 3'600 : text.back() == 'm' ? 60 : 0;
    if (!number || *number == 0 || unit == 0 || *number > static_cast<std::uint64_t>(kLongest.count() / unit))
        return std::nullopt;
    return std::chrono::seconds(static_cast<std::int64_t>(*number) * unit);
}

} // namespace picket
