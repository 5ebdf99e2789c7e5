#include <picket/install/predict.h>

#include <algorithm>
#include <array>

#include <picket/install/files.h>
#include <picket/model/paths.h>

namespace picket::install {
namespace {

using data::Json;
using Effect = void (*)(HostState&, const Json& parameters);

std::string detail_of(const sys::UnitStatus& unit) {
    if (!unit.active)
        return "inactive/dead";
    return unit.unit.ends_with(".target") ? "active/active" : "active/running";
}

void set_units(HostState& state, bool sys::UnitStatus::*field, bool value) {
    for (sys::UnitStatus& unit : state.units) {
        unit.*field = value;
        unit.detail = detail_of(unit);
    }
}

/// The target is what is enabled; the others are static: where they are known they start with it.
void set_enabled(HostState& state, bool value) {
    for (sys::UnitStatus& unit : state.units)
        unit.enabled = unit.unit == units().front() ? value : unit.known;
}

void install_package(HostState& state, const Json& parameters) {
    state.package = {sys::PackageStatus::installed, data::string_or(parameters, "version", ""), ""};
    state.installer_present = true;
    set_units(state, &sys::UnitStatus::known, true);
    set_enabled(state, state.all_enabled());
}

void keep_package(HostState& state, const Json& parameters) {
    const Json& package = data::member(parameters, "package");
    state.kept.push_back({data::string_or(package, "version", ""), data::string_or(package, "sha256", ""),
                          data::string_or(package, "path", "")});
}

/// What goes in is kept beside what was there; the way back leads there after an upgrade, and nowhere after a rollback.
void replace_package(HostState& state, const Json& parameters) {
    const std::string before = state.package.version;
    install_package(state, parameters);
    if (!state.receipt.is_object())
        state.receipt = Json::object();
    state.receipt["version"] = state.package.version;
    state.receipt["previous"] = before;
}

void roll_back_package(HostState& state, const Json& parameters) {
    replace_package(state, parameters);
    state.receipt["previous"] = "";
}

void remove_package(HostState& state, const Json& parameters) {
    state.package.status =
        data::bool_or(parameters, "purge", false) ? sys::PackageStatus::absent : sys::PackageStatus::config_files;
    set_units(state, &sys::UnitStatus::known, false);
}

void remove_state(HostState& state, const Json&) {
    state.config.clear();
    state.unproved = false;
    state.definitions.clear();
}

struct Row {
    std::string_view step;
    Effect effect;
};

/// The steps that change what the report shows, beside those that write files.
constexpr std::array<Row, 16> kEffects{{
    {"package.install", install_package},
    {"os_upgrade.begin",
     [](HostState& state, const Json& parameters) { state.os_upgrade = data::member(parameters, "record"); }},
    {"os_upgrade.keep_installer", [](HostState& state, const Json&) { state.installer_present = true; }},
    {"os_upgrade.end", [](HostState& state, const Json&) { state.os_upgrade = nullptr; }},
    {"package.keep", keep_package},
    {"package.upgrade", replace_package},
    {"package.rollback", roll_back_package},
    {"package.remove", remove_package},
    {"definitions.install",
     [](HostState& state, const Json& parameters) { state.definitions = data::string_or(parameters, "name", ""); }},
    {"services.enable", [](HostState& state, const Json&) { set_enabled(state, true); }},
    {"services.start", [](HostState& state, const Json&) { set_units(state, &sys::UnitStatus::active, true); }},
    {"services.disable", [](HostState& state, const Json&) { set_enabled(state, false); }},
    {"services.stop", [](HostState& state, const Json&) { set_units(state, &sys::UnitStatus::active, false); }},
    {"leftovers.remove",
     [](HostState& state, const Json&) {
         state.unproved = false;
         state.kept.clear();
     }},
    {"selftest.run", [](HostState& state, const Json&) { state.unproved = false; }},
    {"state.remove", remove_state},
}};

} // namespace

HostState predicted_state(HostState state, const Plan& plan) {
    for (const auto& [path, change] : plan.files) {
        if (change.content)
            state.config[path] = *change.content;
        else
            state.config.erase(path);
    }
    for (const JournalStep& entry : plan.journal.steps) {
        const auto row =
            std::find_if(kEffects.begin(), kEffects.end(), [&](const Row& each) { return each.step == entry.step.id; });
        if (row != kEffects.end())
            row->effect(state, entry.step.parameters);
    }
    return state;
}

} // namespace picket::install
