#include "settings.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <picket/base/check.h>
#include <picket/base/text.h>

#include "walker.h"

namespace picket::profile {
namespace {

using data::Json;

constexpr std::string_view kLevelPointer = "/antivirusEngine/enforcementLevel";

/// Names that exist because people know them: each is a switch over the enforcement level. A switch that is already
/// where it is wanted changes nothing, so that `passive-mode disabled` does not turn audit into real_time.
struct LevelSwitch {
    std::string_view name;
    std::array<std::string_view, 2> enabled_levels;
    std::string_view enabling;
    std::string_view disabling;
};
constexpr std::array<LevelSwitch, 2> kLevelSwitches = {{
    {"real-time-protection", {"real_time", "audit"}, "real_time", "on_demand"},
    {"passive-mode", {"passive", "passive"}, "passive", "real_time"},
}};

const LevelSwitch* find_switch(std::string_view name) {
    const auto* found = std::find_if(kLevelSwitches.begin(), kLevelSwitches.end(),
                                     [&](const LevelSwitch& each) { return each.name == name; });
    return found == kLevelSwitches.end() ? nullptr : found;
}

bool is_enabled(const LevelSwitch& level_switch, const Json& level) {
    return level == Json(std::string(level_switch.enabled_levels[0])) ||
           level == Json(std::string(level_switch.enabled_levels[1]));
}

std::optional<bool> switch_position(std::string_view text) {
    if (text == "enabled" || text == "true" || text == "on")
        return true;
    if (text == "disabled" || text == "false" || text == "off")
        return false;
    return std::nullopt;
}

Error not_a_switch(std::string_view name, std::string_view text) {
    return Error(ErrorCode::invalid_input,
                 fmt::format("{} must be enabled or disabled, not \"{}\"", name, escape_for_display(text)));
}

/// The typed text as JSON of the key's type; what does not read as that type stays text, and the schema refuses it.
Json typed(const KeyInfo& key, std::string_view text) {
    const std::string type = data::string_or(*key.node, "type", "");
    if (type == "integer")
        if (const auto number = parse_unsigned(text))
            return *number;
    if (type == "boolean")
        if (const auto position = switch_position(text))
            return *position;
    return std::string(text);
}

std::vector<Setting> read_settings() {
    std::vector<Setting> all;
    for (const KeyInfo& key : keys())
        if (!key.setting.empty())
            all.push_back({key.setting, &key});
    for (const LevelSwitch& level_switch : kLevelSwitches)
        all.push_back({std::string(level_switch.name), find_key(kLevelPointer)});
    std::sort(all.begin(), all.end(), [](const Setting& a, const Setting& b) { return a.name < b.name; });
    return all;
}

} // namespace

Json Setting::show(const Json& value) const {
    if (const LevelSwitch* level_switch = find_switch(name))
        return is_enabled(*level_switch, value) ? "enabled" : "disabled";
    if (value.is_boolean())
        return value == Json(true) ? "enabled" : "disabled";
    return value;
}

Result<Json> Setting::read(std::string_view text, const Json& now) const {
    text = trim(text);
    if (!is_valid_utf8(text))
        return Error(ErrorCode::invalid_input, fmt::format("the value of {} is not UTF-8", name));
    if (const LevelSwitch* level_switch = find_switch(name)) {
        const auto wanted = switch_position(text);
        if (!wanted)
            return not_a_switch(name, text);
        if (*wanted == is_enabled(*level_switch, now))
            return now;
        return Json(std::string(*wanted ? level_switch->enabling : level_switch->disabling));
    }
    Json value = typed(*key, text);
    if (data::string_or(*key->node, "type", "") == "boolean" && !value.is_boolean())
        return not_a_switch(name, text);
    std::optional<Error> problem;
    walk_value(*key->node, value, key->pointer, [&](const Finding& finding) {
        const std::string hint =
            finding.suggestion.empty() ? "" : fmt::format("; did you mean {}?", finding.suggestion);
        problem = Error(ErrorCode::invalid_input, fmt::format("{} {}{}", name, finding.message, hint));
        return false;
    });
    return problem ? Result<Json>(*problem) : Result<Json>(std::move(value));
}

const std::vector<Setting>& settings() {
    static const std::vector<Setting> kSettings = read_settings();
    return kSettings;
}

Result<Setting> find_setting(std::string_view name) {
    std::vector<std::string> names;
    for (const Setting& setting : settings()) {
        if (setting.name == name)
            return setting;
        names.push_back(setting.name);
    }
    const auto near = closest_match(name, names);
    return Error(ErrorCode::invalid_input,
                 fmt::format("no such setting: \"{}\"{}", escape_for_display(name.substr(0, 100)),
                             near ? fmt::format("; did you mean {}?", *near) : "; `picket config show` lists them"));
}

} // namespace picket::profile
