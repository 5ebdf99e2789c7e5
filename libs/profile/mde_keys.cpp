#include "mde_keys.h"

#include <algorithm>

#include <picket/base/text.h>

namespace picket::profile {
namespace {

using T = MdeTreatment;

constexpr std::string_view kNoSensors =
    "Picket has no such sensor: it judges files at open, at execution and when they "
    "were written";
constexpr std::string_view kDefinitions = "where definitions come from is not part of a profile";
constexpr std::string_view kNoCloud = "Picket sends nothing to a cloud service";

} // namespace

const std::vector<MdeKey>& mde_keys() {
    static const std::vector<MdeKey> kKeys = {
        {"antivirusEngine.enforcementLevel", "/antivirusEngine/enforcementLevel", T::plain, ""},
        {"antivirusEngine.enableRealTimeProtection", "", T::old_switch, ""},
        {"antivirusEngine.passiveMode", "", T::old_switch, ""},
        {"antivirusEngine.behaviorMonitoring", "", T::dropped, "Picket watches files, not the behaviour of programs"},
        {"antivirusEngine.scanAfterDefinitionUpdate", "", T::dropped,
         "Picket forgets its verdicts with every update, so that files are judged anew when they are opened"},
        {"antivirusEngine.scanArchives", "/antivirusEngine/scanArchives", T::plain,
         "there for scans on demand only, here at open, too"},
        {"antivirusEngine.maximumOnDemandScanThreads", "/antivirusEngine/maximumOnDemandScanThreads", T::plain, ""},
        {"antivirusEngine.exclusionsMergePolicy", "/antivirusEngine/exclusionsMergePolicy", T::plain, ""},
        {"antivirusEngine.exclusions", "/antivirusEngine/exclusions", T::exclusions, ""},
        {"antivirusEngine.nonExecMountPolicy", "/antivirusEngine/nonExecMountPolicy", T::plain, ""},
        {"antivirusEngine.unmonitoredFilesystems", "/antivirusEngine/unmonitoredFilesystems", T::words, ""},
        {"antivirusEngine.enableFileHashComputation", "", T::dropped, "a detection always has the file's SHA-256"},
        {"antivirusEngine.allowedThreats", "", T::dropped,
         "the other engine's names mean nothing to this one: look the name up in picket threat list and allow that"},
        {"antivirusEngine.disallowedThreatActions", "/antivirusEngine/disallowedThreatActions", T::words, ""},
        {"antivirusEngine.threatTypeSettings", "/antivirusEngine/threatTypeSettings", T::threat_types, ""},
        {"antivirusEngine.threatTypeSettingsMergePolicy", "/antivirusEngine/threatTypeSettingsMergePolicy", T::plain,
         ""},
        {"antivirusEngine.scanResultsRetentionDays", "/antivirusEngine/scanResultsRetentionDays", T::plain,
         "the quarantine has a time of its own here: quarantine.retentionDays"},
        {"antivirusEngine.scanHistoryMaximumItems", "/antivirusEngine/scanHistoryMaximumItems", T::plain, ""},
        {"antivirusEngine.MemoryScan", "", T::dropped, "Picket scans files, not memory"},
        {"antivirusEngine.scanFileModifyPermissions", "", T::dropped, kNoSensors},
        {"antivirusEngine.scanFileModifyOwnership", "", T::dropped, kNoSensors},
        {"antivirusEngine.scanNetworkSocketEvent", "", T::dropped, kNoSensors},
        {"antivirusEngine.offlineDefinitionUpdate", "", T::dropped, kDefinitions},
        {"antivirusEngine.offlineDefinitionUpdateUrl", "", T::dropped, kDefinitions},
        {"antivirusEngine.offlineDefinitionUpdateFallbackToCloud", "", T::dropped, kDefinitions},
        {"antivirusEngine.scheduledScan", "/antivirusEngine/scheduledScan", T::plain, ""},
        {"scheduledScan.dailyConfiguration.timeOfDay", "/scheduledScan/dailyConfiguration/timeOfDay", T::time_of_day,
         ""},
        {"scheduledScan.dailyConfiguration.interval", "/scheduledScan/dailyConfiguration/interval", T::plain, ""},
        {"scheduledScan.weeklyConfiguration.dayOfWeek", "/scheduledScan/weeklyConfiguration/dayOfWeek", T::plain, ""},
        {"scheduledScan.weeklyConfiguration.timeOfDay", "/scheduledScan/weeklyConfiguration/timeOfDay", T::plain, ""},
        {"scheduledScan.weeklyConfiguration.scanType", "/scheduledScan/weeklyConfiguration/scanType", T::plain, ""},
        {"scheduledScan.runScanWhenIdle", "", T::dropped,
         "see scheduledScan.lowPriorityScheduledScan, which is on by default"},
        {"scheduledScan.lowPriorityScheduledScan", "/scheduledScan/lowPriorityScheduledScan", T::plain, ""},
        {"scheduledScan.checkForDefinitionsUpdate", "", T::dropped, kDefinitions},
        {"scheduledScan.ignoreExclusions", "/scheduledScan/ignoreExclusions", T::plain, ""},
        {"scheduledScan.randomizeScanStartTime", "/scheduledScan/randomizeScanStartTime", T::plain, ""},
        {"exclusionSettings.mergePolicy", "/exclusionSettings/mergePolicy", T::plain, ""},
        {"exclusionSettings.exclusions", "/exclusionSettings/exclusions", T::exclusions, ""},
        {"cloudService.proxy", "", T::dropped,
         "the proxy comes with the onboarding package: picket-onboarding --proxy"},
        {"cloudService.automaticDefinitionUpdateEnabled", "", T::dropped, kDefinitions},
        {"cloudService.definitionUpdatesInterval", "/definitions/updateIntervalSeconds", T::plain, ""},
        {"cloudService.*", "", T::dropped, kNoCloud},
        {"features.offlineDefinitionUpdateVerifySig", "", T::dropped, kDefinitions},
        {"features.remediateInfectedFile", "", T::dropped,
         "an infected file is never rewritten: it is moved into the quarantine as a whole"},
        {"features.*", "", T::dropped, kNoSensors},
        {"networkProtection.*", "", T::dropped, "Picket does not look at the network"},
        {"edr.tags", "", T::dropped, "tags belong to the host: picket tag set, or picket-installer install --tag K=V"},
        {"edr.groupIds", "", T::dropped,
         "tags belong to the host: picket tag set, or picket-installer install --tag K=V"},
        {"edr.*", "", T::dropped, kNoSensors},
    };
    return kKeys;
}

const MdeKey* find_mde_key(std::string_view dotted) {
    for (const MdeKey& key : mde_keys()) {
        const bool is_family = key.key.ends_with(".*");
        if (is_family ? dotted.starts_with(key.key.substr(0, key.key.size() - 1)) : dotted == key.key)
            return &key;
    }
    return nullptr;
}

bool is_mde_section(std::string_view dotted) {
    return std::any_of(mde_keys().begin(), mde_keys().end(), [&](const MdeKey& key) {
        return key.key.size() > dotted.size() && key.key.starts_with(dotted) && key.key[dotted.size()] == '.';
    });
}

std::string meant_mde_key(std::string_view dotted) {
    const auto dot = dotted.rfind('.');
    const std::string section(dotted.substr(0, dot == std::string_view::npos ? 0 : dot + 1));
    std::vector<std::string> siblings;
    for (const MdeKey& key : mde_keys())
        if (key.key.starts_with(section))
            if (const std::string_view rest = key.key.substr(section.size()); !rest.starts_with('*'))
                siblings.emplace_back(rest.substr(0, rest.find('.')));
    const auto near = closest_match(dotted.substr(section.size()), siblings);
    return near ? section + *near : "";
}

} // namespace picket::profile
