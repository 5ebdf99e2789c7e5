#include <picket/profile/effective.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "exclusion.h"
#include "formats.h"

namespace picket::profile {
namespace {

using data::Json;

template <typename T>
struct Word {
    std::string_view text;
    T value;
};
constexpr std::array<Word<EnforcementLevel>, 4> kLevels = {{{"real_time", EnforcementLevel::real_time},
                                                            {"audit", EnforcementLevel::audit},
                                                            {"on_demand", EnforcementLevel::on_demand},
                                                            {"passive", EnforcementLevel::passive}}};
constexpr std::array<Word<ThreatAction>, 3> kActions = {
    {{"audit", ThreatAction::audit}, {"block", ThreatAction::block}, {"off", ThreatAction::off}}};
constexpr std::array<Word<Decision>, 2> kDecisions = {{{"allow", Decision::allow}, {"deny", Decision::deny}}};

template <typename T, std::size_t N>
T word(const std::array<Word<T>, N>& words, const Json& object, std::string_view key, T fallback) {
    const std::string text = data::string_or(object, key, "");
    for (const Word<T>& each : words)
        if (each.text == text)
            return each.value;
    return fallback;
}

unsigned number(const Json& object, std::string_view key, unsigned fallback) {
    return static_cast<unsigned>(data::integer_or(object, key, fallback));
}

void compile_exclusions(const Json& list, ExclusionMatcher& matcher) {
    const std::array<std::pair<std::string_view, std::vector<std::string>*>, 5> places = {
        {{"file", &matcher.files},
         {"folder", &matcher.directories},
         {"extension", &matcher.extensions},
         {"name", &matcher.names},
         {"process", &matcher.processes}}};
    for (const Json& element : list) {
        const Exclusion exclusion = exclusion_from(element);
        for (const auto& [type, values] : places)
            if (type == exclusion.type)
                values->push_back(exclusion.value);
    }
}

void sort_unique(std::vector<std::string>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

void compile_antivirus(const Json& section, Policy& policy) {
    policy.enforcement_level = word(kLevels, section, "enforcementLevel", policy.enforcement_level);
    policy.scan_archives = data::bool_or(section, "scanArchives", policy.scan_archives);
    policy.maximum_on_demand_scan_threads =
        number(section, "maximumOnDemandScanThreads", policy.maximum_on_demand_scan_threads);
    policy.mute_noexec_mounts = data::string_or(section, "nonExecMountPolicy", "") == "mute";
    policy.unmonitored_filesystems = data::strings_of(data::member(section, "unmonitoredFilesystems"));
    policy.allowed_threats = data::strings_of(data::member(section, "allowedThreats"));
    for (const std::string& action : data::strings_of(data::member(section, "disallowedThreatActions")))
        policy.local_restore = policy.local_restore && action != "restore";
    for (const Json& setting : data::member(section, "threatTypeSettings")) {
        const bool is_bomb = data::string_or(setting, "key", "") == "archive_bomb";
        ThreatAction& action = is_bomb ? policy.archive_bomb : policy.potentially_unwanted;
        action = word(kActions, setting, "value", action);
    }
    policy.scan_results_retention_days =
        number(section, "scanResultsRetentionDays", policy.scan_results_retention_days);
    policy.scan_history_maximum_items = number(section, "scanHistoryMaximumItems", policy.scan_history_maximum_items);
}

void compile_real_time(const Json& section, Policy& policy) {
    policy.open_failure = word(kDecisions, section, "openFailureAction", policy.open_failure);
    policy.exec_failure = word(kDecisions, section, "execFailureAction", policy.exec_failure);
    policy.open_deadline = Milliseconds(data::integer_or(section, "openDeadlineMs", policy.open_deadline.count()));
    policy.old_verdict_time =
        std::chrono::minutes(data::integer_or(section, "oldVerdictMinutes", policy.old_verdict_time.count()));
    policy.quarantine = data::string_or(section, "quarantine", "enabled") == "enabled";
    policy.warm_up_scan = data::string_or(section, "warmUpScan", "enabled") == "enabled";
}

void compile_schedule(const Json& document, Policy& policy) {
    constexpr unsigned kNever = 1'440;
    ScanScheduleSettings& schedule = policy.schedule;
    const Json& section = data::member(document, "scheduledScan");
    const Json& daily = data::member(section, "dailyConfiguration");
    const Json& weekly = data::member(section, "weeklyConfiguration");
    schedule.enabled =
        data::string_or(data::member(document, "antivirusEngine"), "scheduledScan", "disabled") == "enabled";
    if (const unsigned minute = number(daily, "timeOfDay", kNever); minute != kNever)
        schedule.quick_minute = minute;
    schedule.quick_every_hours = number(daily, "interval", 0);
    schedule.weekly_day = number(weekly, "dayOfWeek", 0);
    schedule.weekly_minute = number(weekly, "timeOfDay", schedule.weekly_minute);
    schedule.weekly_full = data::string_or(weekly, "scanType", "quick") == "full";
    schedule.low_priority = data::bool_or(section, "lowPriorityScheduledScan", schedule.low_priority);
    schedule.ignore_exclusions = data::bool_or(section, "ignoreExclusions", schedule.ignore_exclusions);
    schedule.spread_hours = number(section, "randomizeScanStartTime", schedule.spread_hours);
}

/// FNV-1a, 64 bits: stable over builds and machines, as the generation is stored with verdicts and events.
std::uint64_t hash(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325U;
    for (const char c : text) {
        value ^= static_cast<unsigned char>(c);
        value *= 0x100000001b3U;
    }
    return value;
}

/// The document as it counts at `now`. `next` becomes the first moment at which it counts otherwise.
Json without_expired(Json document, WallTime now, std::optional<WallTime>& next) {
    for (const char* const pointer : {"/antivirusEngine/exclusions", "/exclusionSettings/exclusions"}) {
        Json kept = Json::array();
        const Json& list = value_at(document, pointer);
        for (const Json& element : list) {
            if (has_expired(element, now))
                continue;
            if (const auto end = expiry_time(notes_from(element).expires); end && (!next || *end < *next))
                next = end;
            kept.push_back(element);
        }
        if (kept.size() != list.size())
            set_value_at(document, pointer, std::move(kept));
    }
    return document;
}

PolicySnapshot compile_in_force(const Json& document, std::optional<WallTime> next_expiry) {
    auto policy = std::make_shared<Policy>();
    policy->next_expiry = next_expiry;
    policy->generation = hash(data::to_text(document));
    compile_antivirus(data::member(document, "antivirusEngine"), *policy);
    compile_real_time(data::member(document, "realTimeProtection"), *policy);
    const Json& quarantine = data::member(document, "quarantine");
    policy->quarantine_maximum_per_minute =
        number(quarantine, "maximumPerMinute", policy->quarantine_maximum_per_minute);
    policy->quarantine_retention_days = number(quarantine, "retentionDays", policy->quarantine_retention_days);
    compile_schedule(document, *policy);
    policy->log_level = data::string_or(data::member(document, "logging"), "level", policy->log_level);
    policy->metrics_directory = data::string_or(data::member(document, "metrics"), "textfileDirectory", "");
    const Json& syslog = data::member(data::member(document, "events"), "syslog");
    policy->syslog_target = data::string_or(syslog, "target", policy->syslog_target);
    policy->syslog_facility = data::string_or(syslog, "facility", policy->syslog_facility);
    const Json& definitions = data::member(document, "definitions");
    policy->definitions_interval = std::chrono::seconds(
        data::integer_or(definitions, "updateIntervalSeconds", policy->definitions_interval.count()));
    policy->definitions_minimum_age = std::chrono::seconds(
        data::integer_or(definitions, "minimumAgeSeconds", policy->definitions_minimum_age.count()));
    const Json& product = data::member(document, "product");
    policy->expiration_warning_days = number(product, "expirationWarningDays", policy->expiration_warning_days);
    policy->expired_is_unhealthy = data::string_or(product, "afterExpiration", "unhealthy") == "unhealthy";
    const Json& engine = data::member(document, "engine");
    policy->engine_workers = number(engine, "workers", policy->engine_workers);
    policy->scan_time_limit =
        std::chrono::seconds(data::integer_or(engine, "scanTimeLimitSeconds", policy->scan_time_limit.count() / 1'000));
    ExclusionMatcher& matcher = policy->exclusions;
    compile_exclusions(value_at(document, "/antivirusEngine/exclusions"), matcher);
    compile_exclusions(value_at(document, "/exclusionSettings/exclusions"), matcher);
    for (auto* values : {&matcher.directories, &matcher.files, &matcher.extensions, &matcher.names, &matcher.processes})
        sort_unique(*values);
    return policy;
}

} // namespace

PolicySnapshot compile(const Json& document, WallTime now) {
    std::optional<WallTime> next_expiry;
    const Json in_force = without_expired(document, now, next_expiry);
    return compile_in_force(in_force, next_expiry);
}

std::string generation_text(std::uint64_t generation) {
    return fmt::format("{:016x}", generation);
}

} // namespace picket::profile
