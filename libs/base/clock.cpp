#include <picket/base/clock.h>

#include <ctime>

#include <fmt/format.h>

namespace picket {

std::string to_rfc3339(WallTime time) {
    using namespace std::chrono;
    const auto since_epoch = floor<milliseconds>(time).time_since_epoch();
    const auto whole = floor<seconds>(since_epoch);
    const std::time_t seconds_value = whole.count();
    std::tm utc{};
    gmtime_r(&seconds_value, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                       utc.tm_hour, utc.tm_min, utc.tm_sec, (since_epoch - whole).count());
}

} // namespace picket
