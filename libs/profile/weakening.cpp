#include <picket/profile/weakening.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "exclusion.h"

namespace picket::profile {
namespace {

constexpr std::size_t kMaximumSentences = 100; // a profile with thousands of new exclusions is one event, not thousands

constexpr const char* kExclusions = "/antivirusEngine/exclusions";
constexpr const char* kScopedExclusions = "/exclusionSettings/exclusions";
constexpr const char* kAllowedThreats = "/antivirusEngine/allowedThreats";
constexpr const char* kThreatTypes = "/antivirusEngine/threatTypeSettings";

class Findings {
  public:
    void add(const char* kind, const char* pointer, std::string message, std::string element = "") {
        if (found.size() < kMaximumSentences)
            found.push_back({kind, std::move(message), pointer, std::move(element), {}});
    }
    void number(const char* kind, const char* pointer, const char* what, std::int64_t before, std::int64_t after) {
        if (after < before)
            add(kind, pointer, fmt::format("{} lowered from {} to {}", what, before, after));
    }
    /// Elements that are new.
    void list(const char* kind, const char* pointer, std::string_view what, std::string_view type,
              const std::vector<std::string>& before, const std::vector<std::string>& after) {
        std::vector<std::string> known = before;
        std::sort(known.begin(), known.end());
        for (const std::string& element : after)
            if (!std::binary_search(known.begin(), known.end(), element))
                add(kind, pointer, fmt::format("{}{} {}", what, type, escape_for_display(element)),
                    type.empty() ? element : fmt::format("{} {}", type, element));
    }

    std::vector<Weakening> found;
};

void compare_exclusions(const ExclusionMatcher& before, const ExclusionMatcher& after, Findings& findings) {
    const auto compare = [&](std::string_view type, const std::vector<std::string>& old_list,
                             const std::vector<std::string>& new_list) {
        findings.list("exclusion", kExclusions, "new exclusion: ", type, old_list, new_list);
    };
    compare("folder", before.directories, after.directories);
    compare("file", before.files, after.files);
    compare("extension", before.extensions, after.extensions);
    compare("name", before.names, after.names);
    compare("process", before.processes, after.processes);
}

std::string_view word(ThreatAction action) {
    switch (action) {
    case ThreatAction::block:
        return "block";
    case ThreatAction::audit:
        return "audit";
    case ThreatAction::off:
        return "off";
    }
    return "off";
}

int strength(ThreatAction action) {
    switch (action) {
    case ThreatAction::block:
        return 2;
    case ThreatAction::audit:
        return 1;
    case ThreatAction::off:
        return 0;
    }
    return 0;
}

void compare_threat_type(const char* key, const char* what, ThreatAction before, ThreatAction after,
                         Findings& findings) {
    if (strength(after) < strength(before))
        findings.add("threat_type", kThreatTypes,
                     fmt::format("{} lowered from {} to {}", what, word(before), word(after)), key);
}

void compare_failure(const char* pointer, const char* what, Decision before, Decision after, Findings& findings) {
    if (before == Decision::deny && after == Decision::allow)
        findings.add("failure_action", pointer, fmt::format("{} changed from deny to allow", what));
}

void compare_switches(const Policy& before, const Policy& after, Findings& findings) {
    if (before.quarantine && !after.quarantine)
        findings.add("quarantine", "/realTimeProtection/quarantine",
                     "quarantine disabled: what is found stays where it is");
    if (!before.mute_noexec_mounts && after.mute_noexec_mounts)
        findings.add("noexec_mounts", "/antivirusEngine/nonExecMountPolicy",
                     "mounts with noexec are no longer watched");
    if (before.scan_archives && !after.scan_archives)
        findings.add("scan_archives", "/antivirusEngine/scanArchives", "archives are no longer scanned");
    if (before.schedule.enabled && !after.schedule.enabled)
        findings.add("scheduled_scan", "/antivirusEngine/scheduledScan", "scheduled scans no longer take place");
    if (!before.local_restore && after.local_restore)
        findings.add("local_restore", "/antivirusEngine/disallowedThreatActions",
                     "the host's administrators may restore files from the quarantine");
}

// --- whose word it is

/// Where the key, or that element of its list, comes from; the defaults where the profile has no such element.
Source source_in(const EffectiveProfile& profile, const std::string& pointer, const Weakening& weakening) {
    const auto source_at = [&](const std::string& place) {
        const auto found = profile.sources.find(place);
        return found == profile.sources.end() ? Source{} : found->second;
    };
    if (weakening.element.empty() || !find_key(pointer)->merges_elements)
        return source_at(pointer);
    const data::Json& list = value_at(profile.document, pointer);
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string place = fmt::format("{}/{}", pointer, i);
        if (pointer.ends_with("/exclusions")) {
            const Exclusion exclusion = exclusion_from(list[i]);
            if (fmt::format("{} {}", exclusion.type, exclusion.value) == weakening.element)
                return source_at(place);
        } else if (list[i] == data::Json(weakening.element) ||
                   data::string_or(list[i], "key", "") == weakening.element) {
            return source_at(place);
        }
    }
    return {};
}

Source source_in(const EffectiveProfile& profile, const Weakening& weakening) {
    const Source source = source_in(profile, weakening.pointer, weakening);
    const bool scoped = weakening.pointer == kExclusions && source.layer == Layer::defaults;
    return scoped ? source_in(profile, kScopedExclusions, weakening) : source;
}

void attribute(Weakening& weakening, const EffectiveProfile& before, const EffectiveProfile& after) {
    const Source old_source = source_in(before, weakening);
    weakening.source = source_in(after, weakening);
    const bool gave_way =
        old_source.layer > weakening.source.layer ||
        (old_source.layer == weakening.source.layer && old_source.file > weakening.source.file); // later names win
    if (!gave_way)
        return;
    weakening.source = old_source;
    weakening.message += fmt::format(" ({} no longer says otherwise)", escape_for_display(old_source.file));
}

} // namespace

std::vector<Weakening> find_weakenings(const Policy& before, const Policy& after) {
    Findings findings;
    if (after.enforcement_level > before.enforcement_level) // the enumerators stand from strongest to weakest
        findings.add("enforcement_level", "/antivirusEngine/enforcementLevel",
                     fmt::format("enforcement level lowered from {} to {}", to_string(before.enforcement_level),
                                 to_string(after.enforcement_level)));
    compare_switches(before, after, findings);
    compare_failure("/realTimeProtection/openFailureAction", "openFailureAction", before.open_failure,
                    after.open_failure, findings);
    compare_failure("/realTimeProtection/execFailureAction", "execFailureAction", before.exec_failure,
                    after.exec_failure, findings);
    findings.number("deadline", "/realTimeProtection/openDeadlineMs", "openDeadlineMs", before.open_deadline.count(),
                    after.open_deadline.count());
    if (after.old_verdict_time > before.old_verdict_time)
        findings.add("old_verdicts", "/realTimeProtection/oldVerdictMinutes",
                     fmt::format("oldVerdictMinutes raised from {} to {}", before.old_verdict_time.count(),
                                 after.old_verdict_time.count()));
    if (after.definitions_interval > before.definitions_interval)
        findings.add("definitions_interval", "/definitions/updateIntervalSeconds",
                     fmt::format("definitions are looked for every {} s, and were every {} s",
                                 after.definitions_interval.count(), before.definitions_interval.count()));
    if (after.definitions_minimum_age > before.definitions_minimum_age)
        findings.add("definitions_age", "/definitions/minimumAgeSeconds",
                     fmt::format("definitions are taken when they are {} s old, and were at {} s",
                                 after.definitions_minimum_age.count(), before.definitions_minimum_age.count()));
    findings.number("scan_limit", "/engine/scanTimeLimitSeconds", "scan time limit (ms)",
                    before.scan_time_limit.count(), after.scan_time_limit.count());
    compare_threat_type("potentially_unwanted_application", "action on potentially unwanted applications",
                        before.potentially_unwanted, after.potentially_unwanted, findings);
    compare_threat_type("archive_bomb", "action on archive bombs", before.archive_bomb, after.archive_bomb, findings);
    findings.list("unmonitored_filesystem", "/antivirusEngine/unmonitoredFilesystems",
                  "no longer watched: file systems of type", "", before.unmonitored_filesystems,
                  after.unmonitored_filesystems);
    compare_exclusions(before.exclusions, after.exclusions, findings);
    findings.list("allowed_threat", kAllowedThreats, "newly allowed threat:", "", before.allowed_threats,
                  after.allowed_threats);
    return std::move(findings.found);
}

std::vector<Weakening> find_weakenings(const EffectiveProfile& before, const EffectiveProfile& after) {
    std::vector<Weakening> found = find_weakenings(*before.policy, *after.policy);
    for (Weakening& weakening : found)
        attribute(weakening, before, after);
    return found;
}

} // namespace picket::profile
