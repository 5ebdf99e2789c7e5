#include <picket/project/project.h>

#include <fmt/format.h>
#include <picket/profile/authored.h>
#include <picket/trust/bundle.h>

#include "sources.h"
#include "templates.h"

namespace picket::project {
namespace {

constexpr const char* kPackage = "files/onboarding.zip";
constexpr const char* kKeyFile = "files/organisation.pub";
constexpr std::string_view kVaultHead = "$ANSIBLE_VAULT;";
constexpr const char* kCollection = "collections/ansible_collections/picket/endpoint/";

std::string onboarding_variables(const Sources& sources) {
    if (sources.key_file.empty())
        return "# No onboarding package was given to the export: export again with --onboarding.";
    return fmt::format("# A package of any other key is refused.\npicket_onboarding: {}\npicket_trust_key: {}",
                       kPackage, kKeyFile);
}

std::string inventory_groups() {
    std::string text;
    for (const Group& group : groups())
        for (const profile::ShippedProfile& shipped : profile::shipped_profiles())
            if (shipped.name == group.profile)
                text += fmt::format("    # {}: {}\n    {}:\n      hosts: {{}}\n", shipped.name,
                                    purpose_of(shipped.text), group.name);
    return text.substr(0, text.size() - 1); // the template has a line's end
}

void add_groups(std::vector<ProjectFile>& files) {
    for (const Group& group : groups())
        files.push_back({fmt::format("group_vars/{}.yml", group.name),
                         fmt::format("---\npicket_profile: profiles/{}.yaml\n", group.profile)});
    for (const profile::ShippedProfile& shipped : profile::shipped_profiles())
        files.push_back({fmt::format("profiles/{}.yaml", shipped.name), whole_profile(shipped.name, shipped.text)});
}

std::vector<ProjectFile> files_of(const Sources& sources, Archive collection) {
    std::vector<ProjectFile> files;
    add_templates(files, "ansible",
                  {{"VERSION", sources.version},
                   {"BUNDLE", sources.bundle_name},
                   {"COLLECTION", collection.name},
                   {"ONBOARDING", onboarding_variables(sources)},
                   {"GROUPS", inventory_groups()}});
    add_groups(files);
    for (auto& [name, content] : collection.files)
        files.push_back({kCollection + name, std::move(content)});
    files.push_back({"collections/" + collection.name, std::move(collection.bytes)});
    files.push_back({"files/picket-installer", sources.files.at(trust::kBundleInstallerName), 0755});
    files.push_back({"files/" + sources.bundle_name, "", 0644, sources.bundle.get()});
    if (!sources.key_file.empty()) {
        const bool from_folder = sources.onboarding.empty(); // where ansible-vault has it
        files.push_back({.path = kPackage, .content = sources.onboarding, .mode = 0600, .as_it_is = from_folder});
        files.push_back({kKeyFile, sources.key_file});
    }
    return files;
}

/// Did somebody encrypt the package that an earlier export wrote? Then nobody here can read it.
bool in_vault(const sys::Root& folder) {
    const auto package = folder.read(fmt::format("/{}", kPackage), mebibytes(64));
    return package && package->starts_with(kVaultHead);
}

/// With an encrypted package: it stays as it is, and so does the key that it was exported with.
std::optional<install::Failure> open_with_vault(const Request& request, const sys::Root& folder, Sources& sources) {
    if (auto failure = open_bundle(request, sources))
        return failure;
    auto key = folder.read(fmt::format("/{}", kKeyFile), kibibytes(4));
    if (!key)
        return install::failure_from(
            InstallerExit::onboarding_refused, key.error().with_context(kKeyFile),
            fmt::format("{} is encrypted, and without that file nobody knows whose it is: name "
                        "the package with --onboarding FILE.",
                        kPackage));
    sources.key_file = std::move(*key);
    return std::nullopt;
}

} // namespace

Outcome export_ansible(const Request& request) {
    const auto folder = open_folder(request);
    if (!folder)
        return failed(install::failure_from(InstallerExit::usage, folder.error()));
    Sources sources;
    const bool encrypted = request.onboarding.empty() && in_vault(*folder);
    if (auto failure =
            encrypted ? open_with_vault(request, *folder, sources) : open_sources(request, *folder, kPackage, sources))
        return failed(std::move(*failure));
    auto collection = unpack(sources, "ansible/");
    if (!collection)
        return failed(install::failure_from(InstallerExit::bundle_refused, collection.error()));
    return finish(
        *folder, "ansible", files_of(sources, std::move(*collection)),
        {"Fill in the names of your hosts in inventory.yml; a host's group decides its profile.",
         "Then, in that folder: ansible-playbook site.yml --check --diff, and ansible-playbook rollout.yml."});
}

} // namespace picket::project
