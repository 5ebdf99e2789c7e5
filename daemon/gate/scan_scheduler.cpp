#include "scan_scheduler.h"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/profile/schedule.h>

#include "log.h"

namespace picket::daemon {
namespace {

constexpr std::chrono::seconds kLookEvery{10};
/// A host that has just booted has other things to do than to make up for a scan.
constexpr std::chrono::minutes kCalmAfterBoot{10};

/// The engine and the marks come first.
constexpr std::chrono::minutes kCalmAfterStart{1};
constexpr const char* kWarmUp = "warm_up_scan"; ///< a named value of state.db: begun or not_needed

std::string key_of(profile::ScheduledScan scan) {
    return fmt::format("scheduled_scan.{}", to_string(scan));
}

std::int64_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

bool has_just_booted() {
    timespec uptime{};
    return clock_gettime(CLOCK_BOOTTIME, &uptime) == 0 && std::chrono::seconds(uptime.tv_sec) < kCalmAfterBoot;
}

} // namespace

void ScanScheduler::on_tick() {
    const MonotonicTime now = clock_.monotonic();
    if (now < next_look_)
        return;
    next_look_ = now + kLookEvery;
    const profile::PolicySnapshot policy = policy_.policy();
    if (has_just_booted())
        return;
    if (!warm_up_settled_ && now - started_ >= kCalmAfterStart)
        consider_warm_up(*policy);
    if (!policy->schedule.enabled)
        return;
    for (const profile::ScheduledScan scan : profile::kScheduledScans)
        consider(scan, policy->schedule);
}

bool needs_warm_up(bool settled, const std::vector<ScanRecord>& scans) {
    return !settled && std::none_of(scans.begin(), scans.end(), [](const ScanRecord& scan) {
        return scan.kind != ScanKind::custom && scan.status != ScanStatus::failed &&
               scan.status != ScanStatus::cancelled;
    });
}

void ScanScheduler::consider_warm_up(const profile::Policy& policy) {
    if (!policy.warm_up_scan || !policy.real_time_active())
        return;
    constexpr std::size_t kMost = 1'000;
    const auto stored = store_.value(kWarmUp);
    const auto scans = store_.scans(kMost);
    if (!stored || !scans)
        return; // state.db says so elsewhere
    const bool needed = needs_warm_up(stored->has_value(), *scans);
    if (needed) {
        ScanManager::Request request;
        request.kind = ScanKind::quick;
        request.origin = ScanOrigin::scheduled;
        request.low_priority = true;
        const auto begun = scans_.start(std::move(request));
        if (!begun)
            return; // no engine yet: in ten seconds again
        log(LogLevel::info, "a quick scan fills the cache of verdicts (realTimeProtection.warmUpScan)");
    }
    warm_up_settled_ = true;
    if (!stored->has_value())
        (void)store_.set_value(kWarmUp, needed ? "begun" : "not_needed");
}

void ScanScheduler::consider(profile::ScheduledScan scan, const profile::ScanScheduleSettings& settings) {
    const WallTime now = clock_.wall();
    const Milliseconds delay = profile::spread_delay(host_id_, settings.spread_hours);
    if (!is_due(settings, scan, last_time(scan, now), now, delay))
        return;
    ScanManager::Request request;
    request.kind = scan == profile::ScheduledScan::weekly && settings.weekly_full ? ScanKind::full : ScanKind::quick;
    request.origin = ScanOrigin::scheduled;
    request.ignore_exclusions = settings.ignore_exclusions;
    request.low_priority = settings.low_priority;
    const auto started = scans_.start(std::move(request));
    if (started)
        remember(scan, now);
    else
        log(LogLevel::info, fmt::format("scheduled scan ({}): {}", to_string(scan), started.error().message()));
}

/// A schedule that is looked at for the first time begins to count now. So does one from the future: the clock was set.
WallTime ScanScheduler::last_time(profile::ScheduledScan scan, WallTime now) {
    const auto stored = store_.value(key_of(scan));
    if (stored && *stored)
        if (const auto seconds = parse_unsigned(**stored);
            seconds && static_cast<std::int64_t>(*seconds) <= seconds_of(now))
            return WallTime(std::chrono::seconds(*seconds));
    remember(scan, now);
    return now;
}

void ScanScheduler::remember(profile::ScheduledScan scan, WallTime when) {
    if (const auto stored = store_.set_value(key_of(scan), std::to_string(seconds_of(when))); !stored)
        log(LogLevel::warning, "state.db: " + stored.error().message());
}

} // namespace picket::daemon
