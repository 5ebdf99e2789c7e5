#include <picket/profile/views.h>

#include <picket/profile/exclusions.h>

#include "settings.h"

namespace picket::profile {
namespace {

using data::Json;

Source source_of(const EffectiveProfile& profile, const std::string& pointer) {
    const auto found = profile.sources.find(pointer);
    return found == profile.sources.end() ? Source{} : found->second;
}

std::string source_text(const Source& source) {
    return source.layer == Layer::managed ? source.file : std::string(to_string(source.layer));
}

Json setting_json(const EffectiveProfile& profile, const Setting& setting) {
    const Source source = source_of(profile, setting.key->pointer);
    return {{"name", setting.name},
            {"value", setting.show(value_at(profile.document, setting.key->pointer))},
            {"default", setting.show(setting.key->default_value())},
            {"source", source_text(source)},
            {"managed", source.layer == Layer::managed}};
}

} // namespace

Result<Json> config_show_json(const EffectiveProfile& profile, const std::optional<std::string>& name) {
    Json list = Json::array();
    if (name) {
        list.push_back(setting_json(profile, PICKET_TRY(find_setting(*name))));
    } else {
        for (const Setting& setting : settings())
            list.push_back(setting_json(profile, setting));
    }
    return Json{{"settings", std::move(list)}};
}

Json exclusion_list_json(const EffectiveProfile& profile) {
    Json all = Json::array();
    for (const ListedExclusion& exclusion : list_exclusions(profile))
        all.push_back({{"type", exclusion.type},
                       {"value", exclusion.value},
                       {"status", exclusion.expired ? "expired" : "in_force"},
                       {"reason", exclusion.reason},
                       {"owner", exclusion.owner},
                       {"expires", exclusion.expires ? Json(to_rfc3339(*exclusion.expires)) : Json()},
                       {"source", source_text(exclusion.source)}});
    return {{"exclusions", std::move(all)}};
}

Json allowed_threats_json(const EffectiveProfile& profile) {
    const std::string pointer = "/antivirusEngine/allowedThreats";
    Json all = Json::array();
    const Json& list = value_at(profile.document, pointer);
    for (std::size_t i = 0; i < list.size(); ++i)
        all.push_back(
            {{"name", list[i]}, {"source", source_text(source_of(profile, pointer + "/" + std::to_string(i)))}});
    return {{"allowed_threats", std::move(all)}};
}

Json threat_policy_json(const EffectiveProfile& profile) {
    const std::string pointer = "/antivirusEngine/threatTypeSettings";
    Json all = Json::array();
    const Json& list = value_at(profile.document, pointer);
    for (std::size_t i = 0; i < list.size(); ++i)
        all.push_back({{"type", data::member(list[i], "key")},
                       {"action", data::member(list[i], "value")},
                       {"source", source_text(source_of(profile, pointer + "/" + std::to_string(i)))}});
    return {{"threat_policy", std::move(all)}};
}

Json profile_show_json(const EffectiveProfile& profile) {
    Json sources = Json::object();
    for (const auto& [pointer, source] : profile.sources)
        sources[pointer] = {{"layer", to_string(source.layer)}, {"file", source.file}};
    Json problems = Json::array();
    for (const Problem& problem : profile.problems)
        problems.push_back(to_json(problem));
    return {{"document", profile.document},
            {"sources", std::move(sources)},
            {"problems", std::move(problems)},
            {"generation", generation_text(profile.policy->generation)}};
}

} // namespace picket::profile
