#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <set>
#include <string>

#include <picket/base/text.h>
#include <picket/profile/schedule.h>

using namespace picket;
using namespace picket::profile;

namespace {

struct TimeZone {
    explicit TimeZone(const char* name) {
        setenv("TZ", name, 1);
        tzset();
    }
    ~TimeZone() {
        unsetenv("TZ");
        tzset();
    }
};

WallTime utc(const char* text) {
    std::tm fields{};
    REQUIRE(strptime(text, "%Y-%m-%d %H:%M", &fields) != nullptr);
    return WallTime(std::chrono::seconds(timegm(&fields)));
}

bool due(const ScanScheduleSettings& settings, ScheduledScan scan, const char* last, const char* now,
         Milliseconds delay = Milliseconds(0)) {
    return is_due(settings, scan, utc(last), utc(now), delay);
}

} // namespace

TEST_CASE("a daily scan is due once a day at its minute, and a missed one is made up for once") {
    const TimeZone zone("UTC");
    ScanScheduleSettings settings;
    settings.enabled = true;
    settings.quick_minute = 150;
    constexpr auto kDaily = ScheduledScan::daily_quick;
    CHECK_FALSE(due(settings, kDaily, "2026-11-24 02:30", "2026-11-25 02:29"));
    CHECK(due(settings, kDaily, "2026-11-24 02:30", "2026-11-25 02:30"));
    CHECK_FALSE(due(settings, kDaily, "2026-11-25 02:30", "2026-11-25 23:00"));
    CHECK(due(settings, kDaily, "2026-11-20 02:30", "2026-11-25 01:00"));
    CHECK_FALSE(due(settings, kDaily, "2026-11-25 01:00", "2026-11-25 01:01"));
    CHECK_FALSE(due(settings, kDaily, "2026-11-24 02:50", "2026-11-25 02:40", Milliseconds(20 * 60'000)));
    CHECK(due(settings, kDaily, "2026-11-24 02:50", "2026-11-25 02:50", Milliseconds(20 * 60'000)));
    settings.enabled = false;
    CHECK_FALSE(due(settings, kDaily, "2026-11-20 02:30", "2026-11-25 02:30"));
}

TEST_CASE("a weekly scan is due on its day") {
    const TimeZone zone("UTC");
    ScanScheduleSettings settings;
    settings.enabled = true;
    settings.weekly_day = 4; // 2026-11-25 is a Wednesday
    constexpr auto kWeekly = ScheduledScan::weekly;
    CHECK(due(settings, kWeekly, "2026-11-18 02:00", "2026-11-25 02:00"));
    CHECK_FALSE(due(settings, kWeekly, "2026-11-18 02:00", "2026-11-24 23:00"));
    CHECK_FALSE(due(settings, kWeekly, "2026-11-25 02:00", "2026-12-01 23:59"));
    CHECK(due(settings, kWeekly, "2026-11-25 02:00", "2026-12-02 02:00"));
    settings.weekly_day = 8;
    CHECK(due(settings, kWeekly, "2026-11-25 02:00", "2026-11-26 02:00"));
    settings.weekly_day = 0;
    CHECK_FALSE(due(settings, kWeekly, "2026-01-01 02:00", "2026-11-26 02:00"));
}

TEST_CASE("an interval counts from the last scan") {
    ScanScheduleSettings settings;
    settings.enabled = true;
    settings.quick_every_hours = 6;
    CHECK_FALSE(due(settings, ScheduledScan::interval_quick, "2026-11-25 02:00", "2026-11-25 07:59"));
    CHECK(due(settings, ScheduledScan::interval_quick, "2026-11-25 02:00", "2026-11-25 08:00"));
    settings.quick_every_hours = 0;
    CHECK_FALSE(due(settings, ScheduledScan::interval_quick, "2026-11-20 02:00", "2026-11-25 08:00"));
}

TEST_CASE("times of day are local, also on the days on which the clocks change") {
    const TimeZone zone("CET-1CEST,M3.5.0,M10.5.0/3");
    ScanScheduleSettings settings;
    settings.enabled = true;
    settings.quick_minute = 150; // 02:30 does not exist on 2026-03-29 and is there twice on 2026-10-25
    CHECK(due(settings, ScheduledScan::daily_quick, "2026-03-28 01:30", "2026-03-29 01:31"));
    CHECK_FALSE(due(settings, ScheduledScan::daily_quick, "2026-03-29 01:31", "2026-03-29 20:00"));
    CHECK(due(settings, ScheduledScan::daily_quick, "2026-10-24 00:30", "2026-10-25 01:31"));
    CHECK_FALSE(due(settings, ScheduledScan::daily_quick, "2026-10-25 01:31", "2026-10-25 23:00"));
    CHECK(due(settings, ScheduledScan::daily_quick, "2026-10-25 01:31", "2026-10-26 01:30"));
}

TEST_CASE("each host has a delay of its own, always the same, within the spread") {
    std::set<std::int64_t> delays;
    for (int host = 0; host < 1'000; ++host) {
        const std::string id = "host-" + std::to_string(host);
        const Milliseconds delay = spread_delay(id, 2);
        CHECK(delay == spread_delay(id, 2));
        CHECK(delay.count() >= 0);
        CHECK(delay < std::chrono::hours(2));
        delays.insert(delay.count() / 60'000);
    }
    CHECK(delays.size() > 100);
    CHECK(spread_delay("host", 0).count() == 0);
}
