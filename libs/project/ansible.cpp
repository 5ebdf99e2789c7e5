#include <picket/project/project.h>

#include <fmt/format.h>
#include <picket/profile/authored.h>
#include <picket/trust/bundle.h>

#include "sources.h"
#include "templates.h"

namespace picket::project {
namespace {

constexpr const char* kPackage = "files/onboarding.zip";
constexpr const char* kCollection = "collections/ansible_collections/picket/endpoint/";

std::string onboarding_variables(const Sources& sources) {
    if (sources.onboarding.empty())
        return "# No onboarding package was given to the export: export again with --onboarding, or say where they "
               "are.\n"
               "# picket_onboarding: files/onboarding.zip\n# picket_trust_key: files/organisation.pub";
    return fmt::format("# {}; a package of any other key is refused.\npicket_onboarding: {}\n"
                       "picket_trust_key: files/organisation.pub",
                       sources.organisation, kPackage);
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
    if (!sources.onboarding.empty()) {
        files.push_back({kPackage, sources.onboarding, 0600});
        files.push_back({"files/organisation.pub", sources.key_file});
    }
    return files;
}

} // namespace

Outcome export_ansible(const Request& request) {
    const auto folder = open_folder(request);
    if (!folder)
        return failed(install::failure_from(InstallerExit::usage, folder.error()));
    Sources sources;
    if (auto failure = open_sources(request, *folder, kPackage, sources))
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
