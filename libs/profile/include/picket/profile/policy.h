#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/clock.h>
#include <picket/model/verdict.h>

namespace picket::profile {

enum class EnforcementLevel {
    real_time, ///< opens are held and answered
    audit,     ///< as real_time, but a detection is reported and let through
    on_demand, ///< no real-time protection; scans work
    passive,   ///< no real-time protection; scans report and never act
};
enum class ThreatAction { audit, block, off };

/// Which files and processes are not scanned. Pure; matching never touches a disk.
class ExclusionMatcher {
  public:
    /// Absolute path as the kernel resolved it. A directory rule covers the directory and all below it ("/a" does not
    /// cover "/ab"); `*` matches within one component; extension rules compare the part after the last dot; name
    /// rules compare the last component.
    bool excludes_path(std::string_view path) const;
    /// `executable` = absolute path of the opener's program. Process rules name it by path or by last component.
    bool excludes_process(std::string_view executable) const;
    bool has_path_rules() const;
    bool has_process_rules() const;

    std::vector<std::string> directories;
    std::vector<std::string> files;
    std::vector<std::string> extensions; ///< without the dot
    std::vector<std::string> names;
    std::vector<std::string> processes; ///< absolute path, or bare name
};

/// When the daemon scans by itself. Times of day are minutes after midnight, local time.
struct ScanScheduleSettings {
    bool enabled = false;
    std::optional<unsigned> quick_minute; ///< every day
    unsigned quick_every_hours = 0;       ///< 0 = never
    unsigned weekly_day = 0;              ///< 0 never, 1 Sunday … 7 Saturday, 8 every day
    unsigned weekly_minute = 120;
    bool weekly_full = false;
    bool low_priority = true;
    bool ignore_exclusions = false;
    unsigned spread_hours = 1;
    bool operator==(const ScanScheduleSettings&) const = default;
};

/// The effective profile, compiled for the gate. Immutable once published; swapped atomically.
struct Policy {
    std::uint64_t generation = 0; ///< a hash of the effective document: equal documents, equal generation
    EnforcementLevel enforcement_level = EnforcementLevel::real_time;
    ExclusionMatcher exclusions;         ///< those in force: what has expired is not in it
    std::optional<WallTime> next_expiry; ///< when the first of them expires: compile again then
    std::vector<std::string> allowed_threats;
    ThreatAction potentially_unwanted = ThreatAction::audit;
    ThreatAction archive_bomb = ThreatAction::audit; ///< what limit_exceeded means
    bool scan_archives = true;
    Decision open_failure = Decision::allow; ///< past the deadline, no engine, overload
    Decision exec_failure = Decision::allow;
    Milliseconds open_deadline{2'000};
    std::chrono::minutes old_verdict_time{60}; ///< after new definitions; 0 = no old verdict answers
    bool warm_up_scan = true;                  ///< a quick scan on a host that was never scanned
    Milliseconds scan_time_limit{60'000};
    std::vector<std::string> unmonitored_filesystems;
    bool mute_noexec_mounts = false;
    bool quarantine = true;    ///< false: block only
    bool local_restore = true; ///< false: disallowedThreatActions has restore, a quarantined file stays
    unsigned quarantine_maximum_per_minute = 50; ///< above, the brake trips; 0 = it never does
    unsigned quarantine_retention_days = 90;     ///< 0 = for ever
    ScanScheduleSettings schedule;
    std::string log_level = "info"; ///< error, warning, info, debug
    std::string metrics_directory;  ///< empty = no metrics are written
    std::string syslog_target;      ///< "" = off, or unix:/PATH
    std::string syslog_facility = "daemon";
    std::chrono::seconds definitions_interval{14'400}; ///< between two looks at the mirror
    std::chrono::seconds definitions_minimum_age{0};   ///< since their signature, before they are taken
    unsigned expiration_warning_days = 30;             ///< before the build's end; 0 = no warning
    bool expired_is_unhealthy = true;                  ///< false: past its date is a warning only
    unsigned engine_workers = 0;                       ///< 0 = as many as the engine takes by itself
    unsigned maximum_on_demand_scan_threads = 2;
    unsigned scan_results_retention_days = 90;
    unsigned scan_history_maximum_items = 10'000;

    bool real_time_active() const {
        return enforcement_level == EnforcementLevel::real_time || enforcement_level == EnforcementLevel::audit;
    }
    bool is_allowed_threat(std::string_view name) const;
    /// `type` as mountinfo has it; "fuse" covers every "fuse.NAME".
    bool is_unmonitored(std::string_view type) const;
};
using PolicySnapshot = std::shared_ptr<const Policy>;

std::string_view to_string(EnforcementLevel level);

} // namespace picket::profile
