#include "health.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/model/paths.h>
#include <picket/profile/exclusions.h>

#include "host_identity.h"
#include "mirror_state.h"

namespace picket::daemon {
namespace {

using data::Json;

constexpr Milliseconds kStuck{2'000};

class Issues {
  public:
    void add(std::string name, std::string message, std::string fix) {
        json_.push_back({{"name", std::move(name)}, {"message", std::move(message)}, {"fix", std::move(fix)}});
    }
    Json take() { return std::move(json_); }
    bool empty() const { return json_.empty(); }

  private:
    Json json_ = Json::array();
};

std::string_view to_string(EngineState::Status status) {
    static constexpr std::array<std::string_view, 4> kNames{"absent", "loading", "ready", "failed"};
    return kNames[static_cast<std::size_t>(status)];
}

std::string_view to_string(FilesystemState::Status status) {
    static constexpr std::array<std::string_view, 4> kNames{"protected", "unmarked", "muted", "unproved"};
    return kNames[static_cast<std::size_t>(status)];
}

void add_identity(Json& json, const HealthSources& sources, Issues& issues) {
    const HostIdentity identity = read_host_identity(sources.root);
    json["app_version"] = build::version();
    json["build_date"] = to_rfc3339(build::built_at());
    json["onboarded"] = identity.onboarded;
    json["org_id"] = identity.org_id;
    json["org_name"] = identity.org_name;
    json["region"] = identity.region;
    json["machine_id"] = identity.machine_id;
    json["tags"] = identity.tags;
    if (!identity.onboarded)
        issues.add("not_onboarded", "this host belongs to no organisation", "picket-installer onboard FILE");
}

void add_expiry(Json& json, const BuildExpiry::State& expiry, const profile::Policy& policy, Issues& issues,
                Issues& warnings) {
    constexpr const char* kFix = "picket-installer upgrade with a newer bundle";
    const std::string end = to_rfc3339(expiry.end);
    json["product_expiration"] = end;
    json["product_expiration_days"] = expiry.days_left;
    if (expiry.clock_back)
        issues.add("clock", fmt::format("the clock stands before {}, which has passed", to_rfc3339(expiry.proved)),
                   "set the clock");
    if (expiry.expired())
        (policy.expired_is_unhealthy ? issues : warnings)
            .add("build_expired",
                 fmt::format("this build was meant to be used until {}; protection goes on with the last definitions",
                             end),
                 kFix);
    else if (expiry.days_left <= policy.expiration_warning_days)
        warnings.add("build_expires_soon",
                     fmt::format("this build is meant to be used until {}: days left: {}", end, expiry.days_left),
                     kFix);
}

/// Less than what the vault leaves free on purpose.
bool is_full(const sys::Root& root) {
    constexpr std::uint64_t kLeastBytes = 16 << 20;
    constexpr std::uint64_t kLeastInodes = 16;
    const auto directory = root.open_file(paths::kStateDirectory, O_RDONLY | O_DIRECTORY);
    struct statvfs status {};
    if (!directory || fstatvfs(directory->get(), &status) != 0)
        return false;
    return status.f_bavail * status.f_frsize < kLeastBytes || (status.f_files > 0 && status.f_favail < kLeastInodes);
}

void add_policy(Json& json, const profile::EffectiveProfile& profile, Issues& issues) {
    json["log_level"] = profile.policy->log_level;
    json["enforcement_level"] = to_string(profile.policy->enforcement_level);
    json["passive_mode_enabled"] = profile.policy->enforcement_level == profile::EnforcementLevel::passive;
    json["profile_status"] = profile::to_string(profile.status);
    json["profile_generation"] = profile::generation_text(profile.policy->generation);
    json["profile_sources"] = profile.files;
    const auto writes = [&](std::string_view driver) {
        return std::any_of(profile.files.begin(), profile.files.end(),
                           [&](const std::string& file) { return file.ends_with(driver); });
    };
    if (writes("50-ansible.json") && writes("50-puppet.json"))
        issues.add("two_drivers", "Ansible and Puppet both write this host's profile", "leave it to one of them");
    for (const profile::Problem& problem : profile.problems)
        issues.add("profile_refused", to_text(problem), "mend the file; the last good profile stays in force");
}

void add_engine(Json& json, const HealthSources& sources, const GateSnapshot& gate, Issues& issues) {
    const EngineState& engine = gate.engine;
    json["engine_status"] = gate.engine_stopped ? "stopped" : to_string(engine.status);
    json["engine_version"] = engine.engine_version;
    json["engine_workers"] = engine.workers;
    json["engine_workers_killed"] = engine.workers_killed;
    json["engine_workers_crashed"] = engine.workers_crashed;
    json["engine_sandbox"] =
        engine.sandbox ? Json{{"seccomp", engine.sandbox->seccomp}, {"landlock_abi", engine.sandbox->landlock_abi}}
                       : Json();
    json["definitions_version"] = engine.definitions;
    json["definitions_signatures"] = engine.signatures;
    json["definitions_status"] = engine.definitions.empty() ? "unavailable"
                                 : engine.reload_failed     ? "reload_failed"
                                                            : "up_to_date";
    json["definitions_updated"] = nullptr;
    json["definitions_updated_minutes_ago"] = nullptr;
    if (const auto status =
            sources.root.status(std::string(paths::kDefinitionsDirectory) + "/generations/" + engine.definitions);
        status && !engine.definitions.empty()) {
        const WallTime updated{std::chrono::seconds(status->st_mtim.tv_sec)};
        json["definitions_updated"] = to_rfc3339(updated);
        json["definitions_updated_minutes_ago"] =
            std::chrono::duration_cast<std::chrono::minutes>(sources.clock.wall() - updated).count();
    }
    if (engine.status == EngineState::Status::absent)
        issues.add("no_engine", "no engine is connected", "systemctl status picket-engine");
    else if (engine.status == EngineState::Status::failed)
        issues.add("definitions_missing", "the engine cannot scan: " + engine.message,
                   "picket-installer install, or see docs/operations.md");
    else if (engine.status == EngineState::Status::loading)
        issues.add("engine_loading", "the engine is loading its definitions", "wait a moment");
    else if (gate.engine_stopped)
        issues.add("engine_stopped", "the engine does not answer",
                   "it is restarted by itself; else systemctl restart picket-engine");
    else if (engine.workers == 0)
        issues.add("no_engine", "the engine has no worker", "systemctl status picket-engine");
    else if (const auto failure = sources.probe.failure())
        issues.add("engine_probe_failed", "the engine cannot be trusted: " + *failure,
                   "picket-installer install puts the definitions right; see docs/operations.md");
    if (engine.sandbox && !engine.sandbox->seccomp)
        issues.add("engine_sandbox_incomplete",
                   "the engine reads foreign files without a filter of its system calls: the kernel refuses it one",
                   "take a kernel with CONFIG_SECCOMP_FILTER; picket-engine --probe-sandbox tells what holds");
    if (engine.reload_failed)
        issues.add("definitions_reload_failed", "new definitions were refused: " + engine.message,
                   "see docs/operations.md");
}

void add_mirror(Json& json, const HealthSources& sources, Issues& issues) {
    const MirrorState mirror = read_mirror_state(sources.root);
    json["definitions_expires"] = mirror.expires.empty() ? Json() : Json(mirror.expires);
    json["definitions_checked"] =
        mirror.last_success > 0 ? Json(to_rfc3339(WallTime(std::chrono::seconds(mirror.last_success)))) : Json();
    if (is_old(mirror, sources.clock.wall()) && json["definitions_status"] == "up_to_date")
        json["definitions_status"] = "old";
    if (const auto issue = issue_of(mirror, sources.clock.wall()))
        issues.add(issue->name, issue->message, issue->fix);
}

bool add_filesystems(Json& json, const HealthSources& sources, bool wanted, Issues& issues) {
    Json filesystems = Json::array();
    bool all_marked = sources.mounts != nullptr && sources.mounts->complete();
    std::size_t marked = 0;
    if (sources.mounts != nullptr)
        for (const FilesystemState& state : sources.mounts->states()) {
            Json entry{{"type", state.type},
                       {"device", fmt::format("{}:{}", major(state.device), minor(state.device))},
                       {"status", to_string(state.status)}};
            data::set_path(entry, "mount_point", state.mount_point);
            if (!state.reason.empty())
                entry["reason"] = state.reason;
            filesystems.push_back(std::move(entry));
            if (state.status == FilesystemState::Status::protected_)
                ++marked;
            if (state.status == FilesystemState::Status::unmarked && wanted)
                issues.add("filesystem_unmarked",
                           fmt::format("{} on {} is not watched: {}", state.type, state.mount_point, state.reason),
                           "see docs/operations.md; unmonitoredFilesystems says so on purpose");
            if (state.status == FilesystemState::Status::unproved && wanted) {
                all_marked = false;
                issues.add("protection_unproved",
                           fmt::format("{} on {}: {}", state.type, state.mount_point, state.reason),
                           "its mark is set again; if this stays, see docs/operations.md");
            }
        }
    json["filesystems"] = std::move(filesystems);
    return all_marked && marked > 0;
}

void add_event_losses(Json& statistics, const EventLog::Losses& losses) {
    statistics["events_dropped_journal"] = losses.journal;
    statistics["events_dropped_syslog"] = losses.syslog;
}

void add_quarantine(Json& statistics, const HealthSources& sources, Issues& issues) {
    const Brake::State brake = sources.brake.state();
    statistics["refused_package_files"] = sources.packages.found();
    statistics["refused_by_brake"] = brake.files_left;
    if (brake.engaged)
        issues.add("quarantine_brake",
                   fmt::format("since {} malware is denied and not moved, because so much was found at once; {} files "
                               "were left",
                               to_rfc3339(brake.since), brake.files_left),
                   "see docs/operations.md, then picket threat quarantine resume");
}

void add_ending_exclusions(const profile::EffectiveProfile& profile, WallTime now, Issues& warnings) {
    constexpr std::chrono::hours kAhead{24 * 7};
    constexpr std::size_t kMost = 50;
    std::size_t count = 0;
    for (const profile::ListedExclusion& exclusion : profile::list_exclusions(profile)) {
        if (exclusion.expired || !exclusion.expires || *exclusion.expires > now + kAhead || ++count > kMost)
            continue;
        warnings.add("exclusion_expires_soon",
                     fmt::format("{} ends at {}", describe(exclusion), to_rfc3339(*exclusion.expires)),
                     "nothing, where it is no longer needed; else add it again with a later --expires");
    }
}

} // namespace

Json statistics_json(const gate::GateStatistics& statistics) {
    std::uint64_t unscanned = 0;
    for (const std::uint64_t count : statistics.unscanned)
        unscanned += count;
    return {{"events", statistics.events},
            {"answered", statistics.allowed + statistics.denied},
            {"allowed", statistics.allowed},
            {"denied", statistics.denied},
            {"would_have_denied", statistics.would_have_denied},
            {"cache_hits", statistics.cache_hits},
            {"restored_verdicts", statistics.restored_hits},
            {"old_verdicts", statistics.old_verdicts},
            {"ignore_marks", statistics.ignore_marks},
            {"ignore_marks_dropped", statistics.ignore_marks_dropped},
            {"scans", statistics.scans},
            {"excluded", statistics.excluded},
            {"close_writes", statistics.close_writes},
            {"allowed_unscanned", unscanned},
            {"deadline", statistics.unscanned[static_cast<std::size_t>(gate::FailureReason::deadline)]},
            {"lost", statistics.lost}};
}

Json health(const HealthSources& sources) {
    Json json = Json::object();
    Issues issues;
    Issues warnings; // for somebody in some days, no reason to call the host unhealthy: an upgrade must not stop at it
    const GateSnapshot gate = sources.gate.snapshot();
    const profile::EffectiveProfile profile = sources.policy.profile();
    const bool wanted = profile.policy->real_time_active();
    add_identity(json, sources, issues);
    add_expiry(json, sources.expiry.state(), *profile.policy, issues, warnings);
    add_policy(json, profile, issues);
    add_engine(json, sources, gate, issues);
    add_mirror(json, sources, issues);
    const bool marked = add_filesystems(json, sources, wanted, issues);
    const bool turning = sources.gate.age() < kStuck;
    const bool engine_works =
        gate.engine_present && !gate.engine_stopped && gate.engine.workers > 0 && !sources.probe.failure().has_value();
    json["real_time_protection_enabled"] = wanted;
    json["real_time_protection_available"] = sources.facts.available;
    json["real_time_protection_active"] = wanted && sources.facts.available && marked && turning && engine_works;
    json["real_time_protection_subsystem"] = "fanotify";
    json["fanotify_tier"] = sources.facts.available ? Json(watch::to_string(sources.facts.tier)) : Json();
    if (wanted && sources.facts.available && !sources.facts.tier.exec_events &&
        profile.policy->exec_failure != profile.policy->open_failure)
        issues.add("exec_policy_unavailable",
                   "this kernel (before 5.0) cannot tell an execution from an open: the failure policy of opens holds "
                   "for both",
                   "give both the same failure policy, or take a newer kernel");
    json["conflicting_applications"] = sources.conflicts.get();
    for (const std::string& product : sources.conflicts.get())
        issues.add("conflicting_product", product + " holds permission marks too",
                   "remove one of the two; see docs/operations.md");
    json["statistics"] = statistics_json(gate.statistics);
    add_quarantine(json["statistics"], sources, issues);
    add_event_losses(json["statistics"], sources.events.losses());
    json["held_opens"] = gate.held_opens;
    json["cached_verdicts"] = gate.cached_verdicts;
    json["guarded"] = gate.guarded;
    if (sources.facts.switched_off)
        issues.add("switched_off", "picket.off stands on the kernel command line", "remove it and boot again");
    else if (wanted && !sources.facts.available)
        issues.add("fanotify_unavailable", sources.facts.why_unavailable, "picket-installer check");
    else if (wanted && !marked)
        issues.add("starting", "file systems are being marked", "wait a moment");
    if (!turning)
        issues.add("gate_stuck", "the gate's loop does not turn", "the guard ends it; see docs/operations.md");
    if (sources.facts.available && !gate.guarded)
        issues.add("guard_absent", "picket-guard is not connected", "systemctl status picket-guard");
    if (!sources.facts.store_fallback.empty())
        issues.add("state_db_unavailable", "records do not survive a reboot: " + sources.facts.store_fallback,
                   "look at the disk of /var/lib/picket, then systemctl restart picketd");
    if (is_full(sources.root))
        issues.add("disk_full", "the file system of /var/lib/picket is full: records and quarantine have no room",
                   "make room there; never take files out of the vault by hand");
    if (sources.facts.store_recovered)
        issues.add("state_db_corrupt", "state.db was damaged and has been begun anew", "see docs/operations.md");
    const EventLog::Losses losses = sources.events.losses();
    if (const std::uint64_t lost = losses.store + sources.aftermath.lost_records() + sources.outcomes.dropped();
        lost > 0)
        issues.add("records_lost", fmt::format("{} records could not be stored", lost),
                   "look at the disk of /var/lib/picket");
    add_ending_exclusions(profile, sources.clock.wall(), warnings);
    json["health_warnings"] = warnings.take();
    json["healthy"] = issues.empty();
    json["health_issues"] = issues.take();
    return json;
}

} // namespace picket::daemon
