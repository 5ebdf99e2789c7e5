#include <picket/install/plan.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/files.h>
#include <picket/model/paths.h>

#include "plan_parts.h"

namespace picket::install {

using data::Json;

void add(Plan& plan, std::string id, std::string title, Json parameters, bool changes) {
    JournalStep entry;
    entry.step = Step{std::move(id), std::move(title), std::move(parameters), changes};
    plan.journal.steps.push_back(std::move(entry));
}

void add_files(Plan& plan, const HostState& state, const std::string& id, const std::string& title,
               const std::vector<FileChange>& changes) {
    Json entries = Json::array();
    for (const FileChange& change : changes) {
        const auto now = state.config.find(change.path);
        const bool there = now != state.config.end();
        if (change.content ? there && now->second == *change.content : !there)
            continue;
        entries.push_back({{"path", change.path},
                           {"action", !change.content ? "remove"
                                      : there         ? "replace"
                                                      : "create"},
                           {"mode", fmt::format("{:04o}", change.mode)}});
        // A killed run that has to be finished knows only what its journal says; tags are no secret.
        if (plan.journal.recovery == Recovery::finish && change.content)
            entries.back()["content"] = *change.content;
        plan.files[change.path] = change;
    }
    if (!entries.empty())
        add(plan, id, title, {{"files", entries}});
}

namespace {

constexpr mode_t kSecret = 0600;
constexpr mode_t kPublic = 0644;

std::string managed(const std::string& name) {
    return fmt::format("{}/{}", paths::kManagedDirectory, name);
}
std::vector<FileChange> identity_files(const OnboardingMaterial& onboarding) {
    return {{paths::kOnboarding, onboarding.document, kSecret}, {paths::kEnrolmentToken, onboarding.token, kSecret}};
}

/// The wanted set, and the removal of what is there of the same kind and not wanted.
std::vector<FileChange> profile_set(const HostState& state, const std::map<std::string, std::string>& wanted,
                                    bool onboarding_kind) {
    std::vector<FileChange> changes;
    for (const auto& [path, content] : wanted)
        changes.push_back({path, content, kPublic});
    const std::string prefix = managed(files::kOnboardingProfilePrefix);
    for (const auto& [path, content] : state.config) {
        const bool is_managed = path.rfind(managed(""), 0) == 0;
        const bool of_kind = is_managed && (path.rfind(prefix, 0) == 0) == onboarding_kind;
        if (of_kind && !wanted.contains(path))
            changes.push_back({path, std::nullopt, kPublic});
    }
    return changes;
}

std::vector<FileChange> profile_files(const HostState& state, const Wishes& wishes) {
    std::vector<FileChange> changes;
    if (wishes.onboarding) {
        std::map<std::string, std::string> wanted;
        for (const auto& [name, text] : wishes.onboarding->profiles)
            wanted[managed(fmt::format("{}{}.json", files::kOnboardingProfilePrefix, name))] = text;
        changes = profile_set(state, wanted, true);
    }
    if (wishes.install_profiles) {
        std::map<std::string, std::string> wanted;
        for (std::size_t i = 0; i < wishes.install_profiles->size(); ++i)
            wanted[managed(fmt::format("3{}{}", i, files::kInstallProfileSuffix))] = (*wishes.install_profiles)[i];
        const auto more = profile_set(state, wanted, false);
        changes.insert(changes.end(), more.begin(), more.end());
    }
    return changes;
}

/// A new package's tags win over what is there, --tag wins over both.
std::vector<FileChange> tag_files(const HostState& state, const Wishes& wishes) {
    Json tags = state.tags();
    const bool new_package = wishes.onboarding && state.value_of(paths::kOnboarding) != wishes.onboarding->document;
    if (new_package)
        for (const auto& [key, value] : wishes.onboarding->tags)
            tags[key] = value;
    for (const auto& [key, value] : wishes.tags)
        tags[key] = value;
    if (tags == state.tags())
        return {};
    return {{paths::kTags, data::to_pretty_text(tags) + "\n", kPublic}};
}

/// Tags that the administrator gave the host stay.
std::vector<FileChange> tags_without_organisation(const HostState& state) {
    const auto onboarding = data::parse_json(state.value_of(paths::kOnboarding));
    Json tags = state.tags();
    const Json none = Json::object();
    const Json& given = onboarding ? data::member(*onboarding, "tags") : none;
    for (const auto& [key, value] : given.items())
        if (data::member(tags, key) == value)
            tags.erase(key);
    if (tags == state.tags())
        return {};
    return {{paths::kTags, tags.empty() ? std::nullopt : std::optional(data::to_pretty_text(tags) + "\n"), kPublic}};
}

void add_configuration(Plan& plan, const HostState& state, const Wishes& wishes) {
    if (wishes.onboarding)
        add_files(plan, state, "identity.write", fmt::format("onboard to {}", wishes.onboarding->org_name),
                  identity_files(*wishes.onboarding));
    add_files(plan, state, "profiles.write", "write the managed profiles", profile_files(state, wishes));
    add_files(plan, state, "tags.write", "write the tags", tag_files(state, wishes));
}

void add_package(Plan& plan, const HostState& state, const Wishes& wishes) {
    const KeptPackage package =
        wishes.kept
            ? *wishes.kept
            : KeptPackage{wishes.bundle->version, wishes.bundle->package_sha256,
                          fmt::format("{}/{}", staged_directory(wishes.bundle->version), wishes.bundle->package_file)};
    add(plan, "package_manager.wait", "wait for the package manager", {{"timeout_ms", wishes.lock_timeout.count()}},
        false);
    add(plan, "package.install", fmt::format("install the package {} {}", files::kPackageName, package.version),
        {{"package", files::kPackageName},
         {"version", package.version},
         {"manager", state.package_system},
         {"file", package.path},
         {"state_kept", state.state_kept}});
}

bool wants_definitions(const HostState& state, const Wishes& wishes) {
    if (!wishes.bundle || wishes.bundle->definitions.empty() || state.definitions == wishes.bundle->definitions)
        return false;
    return state.definitions.empty() || (!state.installed() && state.os_upgrade.is_null());
}

void add_services(Plan& plan, const HostState& state, const Wishes& wishes) {
    const bool new_package = !state.installed() || wishes.repair;
    if (new_package || !state.all_enabled())
        add(plan, "services.enable", "start at boot", {{"units", {units().front()}}});
    if (!wishes.image && (new_package || !state.all_active()))
        add(plan, "services.start", "start the services", {{"units", units()}});
}

/// What the last install could not prove is tried again, whatever else is planned.
void add_self_test(Plan& plan, const HostState& state) {
    add(plan, "selftest.run", "prove it with a harmless test file", {{"fresh", !state.installed()}}, state.unproved);
}

void add_verification(Plan& plan, const HostState& state, const Wishes& wishes) {
    plan.journal.verify_from = plan.journal.steps.size();
    const auto has = [&plan](std::string_view id) {
        return std::any_of(plan.journal.steps.begin(), plan.journal.steps.end(),
                           [&](const JournalStep& entry) { return entry.step.id == id; });
    };
    const bool protection_touched = has("package.install") || has("services.start") || has("definitions.install");
    if (!wishes.image && protection_touched) {
        add(plan, "health.wait", "wait until it protects", {{"timeout_ms", 30'000}}, false);
        add_self_test(plan, state);
    } else if (!wishes.image && state.unproved) {
        add_self_test(plan, state);
    }
    add(plan, "receipt.write", "write the receipt",
        {{"accepted_checks", wishes.accepted},
         {"bundle", wishes.bundle ? to_json(*wishes.bundle) : Json()},
         {"repository", wishes.repository ? to_json(*wishes.repository) : Json()}});
    if (has("bundle.stage"))
        add(plan, "staging.clear", "clear the staged files", {{"directory", staged_directory(wishes.bundle->version)}},
            false);
}

Plan new_plan(std::string verb, Recovery recovery) {
    Plan plan;
    plan.journal.verb = std::move(verb);
    plan.journal.recovery = recovery;
    return plan;
}

/// What only the installer put on the host.
Json installer_files(const HostState& state) {
    Json paths{files::kInstaller, files::kReceipt, files::kUnproved};
    if (!state.os_upgrade.is_null())
        for (const char* path : {files::kSparedInstaller, paths::kOsUpgrade})
            paths.push_back(path);
    for (const KeptPackage& kept : state.kept)
        paths.push_back(kept.path);
    if (!state.kept.empty())
        paths.push_back(files::kKeptPackages);
    return paths;
}

bool has_package(const HostState& state, UninstallMode mode) {
    return state.has_programs() ||
           (mode == UninstallMode::purge && state.package.status == sys::PackageStatus::config_files);
}

void add_directories(Plan& plan) {
    add(plan, "directories.prepare", "prepare the directories",
        {{"directories", {paths::kConfigDirectory, paths::kManagedDirectory, paths::kStateDirectory}}}, false);
}

Plan nothing(const Plan& plan) {
    return new_plan(plan.journal.verb, plan.journal.recovery);
}

} // namespace

std::string staged_directory(const std::string& version) {
    return fmt::format("{}/{}", files::kStaged, version);
}

void add_stage(Plan& plan, const BundleMaterial& bundle) {
    add(plan, "bundle.stage", fmt::format("stage the bundle {}", bundle.version),
        {{"version", bundle.version}, {"sha256", bundle.sha256}, {"directory", staged_directory(bundle.version)}},
        false);
}

Json to_json(const BundleMaterial& bundle) {
    return {{"path", bundle.path}, {"sha256", bundle.sha256}, {"version", bundle.version}};
}

bool Plan::changes() const {
    return std::any_of(journal.steps.begin(), journal.steps.end(),
                       [](const auto& entry) { return entry.step.changes; });
}

Plan plan_install(const HostState& state, const Wishes& wishes) {
    Plan plan = new_plan("install", Recovery::undo);
    const bool new_package = !state.installed() || wishes.repair;
    const bool definitions = wants_definitions(state, wishes);
    const bool from_repository = wishes.repository.has_value();
    const bool keep = wishes.bundle && (new_package || wishes.bundle->version == state.package.version) &&
                      state.kept_of(wishes.bundle->version) == nullptr;
    const bool copy_installer = !state.installer_present && wishes.bundle && !wishes.bundle->installer_file.empty();
    add_directories(plan);
    if (from_repository)
        add_repository(plan, state, wishes);
    else if (wishes.bundle && (new_package || definitions || copy_installer || keep))
        add_stage(plan, *wishes.bundle);
    if (keep)
        add_keep(plan, staged_directory(wishes.bundle->version), *wishes.bundle);
    if (!state.os_upgrade.is_null())
        add_os_upgrade_resume(plan, state, wishes);
    if (new_package && from_repository)
        add_repository_package(plan, state, wishes);
    else if (new_package)
        add_package(plan, state, wishes);
    add_configuration(plan, state, wishes);
    if (from_repository)
        add_repository_definitions(plan, state, wishes);
    if (definitions)
        add(plan, "definitions.install", fmt::format("install the definitions {}", wishes.bundle->definitions),
            {{"name", wishes.bundle->definitions},
             {"previous", state.definitions},
             {"directory",
              fmt::format("{}/{}", staged_directory(wishes.bundle->version), wishes.bundle->definitions_directory)}});
    if (copy_installer || (new_package && wishes.bundle && !wishes.bundle->installer_file.empty()))
        add(plan, "installer.copy", fmt::format("keep the installer as {}", files::kInstaller),
            {{"from", fmt::format("{}/{}", staged_directory(wishes.bundle->version), wishes.bundle->installer_file)},
             {"to", files::kInstaller}});
    add_services(plan, state, wishes);
    if (!state.os_upgrade.is_null())
        add_os_upgrade_end(plan);
    if (!plan.changes() && !(state.unproved && !wishes.image))
        return nothing(plan);
    add_verification(plan, state, wishes);
    return plan;
}

Plan plan_onboard(const HostState& state, const Wishes& wishes) {
    Plan plan = new_plan("onboard", Recovery::undo);
    add_directories(plan);
    add_configuration(plan, state, wishes);
    if (!plan.changes())
        return nothing(plan);
    add_verification(plan, state, wishes);
    return plan;
}

Plan plan_offboard(const HostState& state) {
    Plan plan = new_plan("offboard", Recovery::finish);
    add_files(plan, state, "profiles.remove", "remove the organisation's profiles", profile_set(state, {}, true));
    add_files(plan, state, "tags.write", "remove the organisation's tags", tags_without_organisation(state));
    add_files(plan, state, "identity.remove", "forget the organisation",
              {{paths::kOnboarding, std::nullopt, kSecret}, {paths::kEnrolmentToken, std::nullopt, kSecret}});
    return plan;
}

void add_removal(Plan& plan, const HostState& state, UninstallMode mode, Milliseconds lock_timeout, bool image) {
    const bool purge = mode == UninstallMode::purge;
    const bool has_units =
        std::any_of(state.units.begin(), state.units.end(), [](const auto& unit) { return unit.known; });
    if (has_units && !image)
        add(plan, "services.stop", "stop the services", {{"units", units()}});
    if (has_units)
        add(plan, "services.disable", "do not start at boot", {{"units", {units().front()}}});
    if (!has_package(state, mode))
        return;
    add(plan, "package_manager.wait", "wait for the package manager", {{"timeout_ms", lock_timeout.count()}}, false);
    add(plan, "package.remove", fmt::format("{} the package {}", purge ? "purge" : "remove", files::kPackageName),
        {{"package", files::kPackageName}, {"purge", purge}});
}

Plan plan_uninstall(const HostState& state, UninstallMode mode, Milliseconds lock_timeout, bool image) {
    Plan plan = new_plan("uninstall", Recovery::finish);
    const bool purge = mode == UninstallMode::purge;
    const bool package = has_package(state, mode);
    add_removal(plan, state, mode, lock_timeout, image);
    add_repository_removal(plan, state);
    plan.journal.verify_from = plan.journal.steps.size();
    if (state.installer_present || !state.receipt.is_null() || package || !state.kept.empty())
        add(plan, "leftovers.remove", "remove what the installer itself put there",
            {{"files", installer_files(state)}});
    if (purge && (package || state.leftovers || !state.config.empty() || !state.receipt.is_null()))
        add(plan, "state.remove", "remove configuration, quarantine and records", Json::object());
    return plan;
}

Plan plan_prepare_image(const HostState& state, const std::vector<std::string>& present_identity_files, bool image) {
    Plan plan = new_plan("prepare-image", Recovery::finish);
    if (present_identity_files.empty())
        return plan;
    if (!image && std::any_of(state.units.begin(), state.units.end(), [](const auto& unit) { return unit.active; }))
        add(plan, "services.stop", "stop the services until the next boot", {{"units", units()}});
    add(plan, "machine.forget", "forget this host's identity", {{"files", present_identity_files}});
    return plan;
}

} // namespace picket::install
