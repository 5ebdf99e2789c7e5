#include <picket/install/state.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/files.h>
#include <picket/install/known_files.h>
#include <picket/model/paths.h>

namespace picket::install {
namespace {

constexpr Bytes kFileLimit = mebibytes(1);

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_our_profile(std::string_view name) {
    return name.rfind(files::kOnboardingProfilePrefix, 0) == 0 ||
           (name.size() > 2 && name[0] == '3' && ends_with(name, files::kInstallProfileSuffix));
}

void read_config(const sys::Root& root, const std::string& path, HostState& state) {
    auto content = root.read(path, kFileLimit);
    if (content)
        state.config[path] = std::move(*content);
    else if (content.error().code() != ErrorCode::not_found)
        state.unreadable.push_back(path);
}

/// Null where there is none that can be understood.
data::Json read_object(const sys::Root& root, const std::string& path) {
    const auto text = root.read(path, kFileLimit);
    const auto parsed = text ? data::parse_json(*text) : Result<data::Json>(data::Json());
    return parsed && parsed->is_object() ? *parsed : data::Json();
}

data::Json units_summary(const HostState& state) {
    data::Json units = data::Json::object();
    for (const sys::UnitStatus& unit : state.units)
        if (unit.known)
            units[unit.unit] = {{"active", unit.active}, {"enabled", unit.enabled}, {"state", unit.detail}};
    return units;
}

} // namespace

const std::vector<std::string>& units() {
    static const std::vector<std::string> kUnits{"picket.target", "picketd.service", "picket-engine.service",
                                                 "picket-guard.service", "picket-remedy.socket"};
    return kUnits;
}

bool HostState::onboarded() const {
    return config.contains(paths::kOnboarding) ||
           std::find(unreadable.begin(), unreadable.end(), paths::kOnboarding) != unreadable.end();
}

std::string HostState::value_of(const std::string& path) const {
    const auto found = config.find(path);
    return found == config.end() ? std::string() : found->second;
}

data::Json HostState::tags() const {
    const auto parsed = data::parse_json(value_of(paths::kTags));
    return parsed && parsed->is_object() ? *parsed : data::Json::object();
}

const KeptPackage* HostState::kept_of(const std::string& version) const {
    for (const KeptPackage& each : kept)
        if (each.version == version)
            return &each;
    return nullptr;
}

const KeptPackage* HostState::way_back() const {
    if (!has_programs())
        return nullptr;
    const std::string ours = data::string_or(receipt, "version", "");
    const std::string wanted =
        !ours.empty() && ours != package.version ? ours : data::string_or(receipt, "previous", "");
    return wanted.empty() || wanted == package.version ? nullptr : kept_of(wanted);
}

bool HostState::all_enabled() const {
    return !units.empty() && units.front().known && units.front().enabled;
}

bool HostState::all_active() const {
    return !units.empty() && std::all_of(units.begin(), units.end(), [](const auto& unit) { return unit.active; });
}

Result<HostState> read_state(const Ports& ports) {
    HostState state;
    if (ports.packages != nullptr) {
        state.package_system = ports.packages->name();
        state.package = PICKET_TRY(ports.packages->state(files::kPackageName));
    }
    state.units = PICKET_TRY(ports.services.status(units()));
    for (const char* path : {paths::kOnboarding, paths::kEnrolmentToken, paths::kTags})
        read_config(ports.root, path, state);
    for (const std::string& name : ports.root.list(paths::kManagedDirectory).value_or(std::vector<std::string>{}))
        if (is_our_profile(name))
            read_config(ports.root, fmt::format("{}/{}", paths::kManagedDirectory, name), state);
    if (ports.repositories != nullptr)
        for (const std::string& path : sys::repository_file_names(ports.repositories->kind()))
            read_config(ports.root, path, state);
    if (const auto identity = state.config.find(paths::kOnboarding); identity != state.config.end())
        state.pinned_key = ports.trust.key_of(identity->second);
    state.definitions = ports.definitions.current();
    state.unproved = ports.root.exists(files::kUnproved);
    state.installer_present = ports.root.exists(files::kInstaller);
    state.kept = kept_packages(ports.root);
    state.state_kept = any_present(ports.root, state_files());
    state.leftovers = state.state_kept || any_present(ports.root, product_files());
    state.receipt = read_object(ports.root, files::kReceipt);
    state.os_upgrade = read_object(ports.root, paths::kOsUpgrade);
    return state;
}

data::Json summary_of(const HostState& state) {
    const auto onboarding = data::parse_json(state.value_of(paths::kOnboarding));
    const data::Json& organisation = onboarding ? data::member(*onboarding, "organisation") : data::Json();
    data::Json profiles = data::Json::array();
    const std::string prefix = std::string(paths::kManagedDirectory) + "/";
    for (const auto& [path, content] : state.config)
        if (path.rfind(prefix, 0) == 0)
            profiles.push_back(path.substr(prefix.size()));
    const KeptPackage* const back = state.way_back();
    const bool has_version = state.installed() || state.package.status == sys::PackageStatus::broken;
    return {{"installed", state.installed()},
            {"package_status", to_string(state.package.status)},
            {"version", has_version ? data::Json(state.package.version) : data::Json()},
            {"way_back", back != nullptr ? data::Json(back->version) : data::Json()},
            {"onboarded", state.onboarded()},
            {"org_id", data::member(organisation, "id")},
            {"org_name", data::member(organisation, "name")},
            {"tags", state.tags()},
            {"profiles", profiles},
            {"definitions", state.definitions.empty() ? data::Json() : data::Json(state.definitions)},
            {"unproved", state.unproved},
            {"os_upgrade", state.os_upgrade},
            {"units", units_summary(state)}};
}

} // namespace picket::install
