#include <picket/profile/schedule.h>

#include <ctime>
#include <functional>

namespace picket::profile {
namespace {

/// That minute of the day which is `days_back` before today, local time.
WallTime at_minute(std::time_t now, int days_back, unsigned minute, int& weekday) {
    std::tm local{};
    localtime_r(&now, &local);
    local.tm_mday -= days_back;
    local.tm_hour = static_cast<int>(minute / 60);
    local.tm_min = static_cast<int>(minute % 60);
    local.tm_sec = 0;
    local.tm_isdst = -1; // whatever the clocks show on that day
    const std::time_t when = std::mktime(&local);
    weekday = local.tm_wday;
    return WallTime(std::chrono::seconds(when));
}

/// The last time at or before `now` at which it should have begun. `day`: as in the profile, 8 is every day.
std::optional<WallTime> last_time_of_day(unsigned day, unsigned minute, WallTime now, Milliseconds delay) {
    const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    for (int back = 0; back <= 8; ++back) {
        int weekday = 0;
        const WallTime planned = at_minute(seconds, back, minute, weekday) + delay;
        if (planned <= now && (day == 8 || day == static_cast<unsigned>(weekday) + 1))
            return planned;
    }
    return std::nullopt;
}

} // namespace

std::string_view to_string(ScheduledScan scan) {
    switch (scan) {
    case ScheduledScan::daily_quick:
        return "daily_quick";
    case ScheduledScan::interval_quick:
        return "interval_quick";
    case ScheduledScan::weekly:
        return "weekly";
    }
    return "weekly";
}

bool is_due(const ScanScheduleSettings& settings, ScheduledScan scan, WallTime last, WallTime now, Milliseconds delay) {
    constexpr unsigned kEveryDay = 8;
    if (!settings.enabled)
        return false;
    std::optional<WallTime> planned;
    switch (scan) {
    case ScheduledScan::daily_quick:
        if (settings.quick_minute)
            planned = last_time_of_day(kEveryDay, *settings.quick_minute, now, delay);
        break;
    case ScheduledScan::interval_quick:
        if (settings.quick_every_hours > 0)
            planned = last + std::chrono::hours(settings.quick_every_hours);
        return planned && *planned <= now;
    case ScheduledScan::weekly:
        if (settings.weekly_day > 0)
            planned = last_time_of_day(settings.weekly_day, settings.weekly_minute, now, delay);
        break;
    }
    return planned && last < *planned;
}

Milliseconds spread_delay(std::string_view host_id, unsigned spread_hours) {
    const Milliseconds range = std::chrono::hours(spread_hours);
    if (range.count() == 0)
        return range;
    std::uint64_t hash = 0xcbf29ce484222325U; // FNV-1a: the same on every build and machine
    for (const char c : host_id)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return Milliseconds(static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(range.count())));
}

} // namespace picket::profile
