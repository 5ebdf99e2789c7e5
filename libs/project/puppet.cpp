#include <picket/project/project.h>

#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/profile/authored.h>
#include <picket/trust/bundle.h>

#include "sources.h"
#include "templates.h"

namespace picket::project {
namespace {

constexpr const char* kFiles = "modules/picket_files/files/";
constexpr const char* kPackage = "modules/picket_files/files/onboarding.zip";
// Without a version, so that what names it in somebody's own Hiera data is right with the next one, too.
constexpr const char* kBundle = "bundle.tar.gz";

std::string onboarding_data(const Sources& sources) {
    if (sources.onboarding.empty())
        return "# No onboarding package was given to the export: export again with --onboarding.";
    return fmt::format("# {}; a package of any other key is refused.\n"
                       "picket::onboarding_source: puppet:///modules/picket_files/onboarding.zip\n"
                       "picket::trust_key: {}",
                       sources.organisation, sources.key);
}

std::string site_groups() {
    std::string text;
    for (const Group& group : groups())
        for (const profile::ShippedProfile& shipped : profile::shipped_profiles())
            if (shipped.name == group.profile)
                text +=
                    fmt::format("# {}: {}\nnode '{}.example.org' {{\n  $picket_group = '{}'\n  include picket\n}}\n\n",
                                shipped.name, purpose_of(shipped.text), group.name, group.name);
    return text;
}

/// The server reads the package as its own user. Nothing where this is not a server.
gid_t server_group() {
    const auto root = sys::Root::open("/");
    const auto text = geteuid() == 0 && root ? root->read("/etc/group", mebibytes(1)) : Result<std::string>("");
    for (const std::string_view line : split(text.value_or(std::string()), '\n')) {
        const auto fields = split(line, ':');
        if (fields.size() >= 3 && fields[0] == "puppet")
            if (const auto number = parse_unsigned(fields[2]))
                return static_cast<gid_t>(*number);
    }
    return static_cast<gid_t>(-1);
}

void add_groups(std::vector<ProjectFile>& files) {
    for (const Group& group : groups())
        for (const profile::ShippedProfile& shipped : profile::shipped_profiles())
            if (shipped.name == group.profile)
                files.push_back(
                    {fmt::format("data/groups/{}.yaml", group.name), hiera_profile(shipped.name, shipped.text)});
}

std::vector<ProjectFile> files_of(const Sources& sources, Archive module) {
    std::vector<ProjectFile> files;
    add_templates(files, "puppet",
                  {{"VERSION", sources.version},
                   {"BUNDLE", kBundle},
                   {"ONBOARDING", onboarding_data(sources)},
                   {"NODES", site_groups()}});
    add_groups(files);
    for (auto& file : module.files) // below picket-picket-VERSION/
        if (const auto slash = file.first.find('/'); slash != std::string::npos)
            files.push_back({"modules/picket" + file.first.substr(slash), std::move(file.second)});
    files.push_back({fmt::format("{}picket-installer", kFiles), sources.files.at(trust::kBundleInstallerName), 0755});
    files.push_back({fmt::format("{}{}", kFiles, kBundle), "", 0644, sources.bundle.get()});
    if (!sources.onboarding.empty())
        files.push_back({kPackage, sources.onboarding, 0600, -1, server_group()});
    return files;
}

} // namespace

Outcome export_puppet(const Request& request) {
    const auto folder = open_folder(request);
    if (!folder)
        return failed(install::failure_from(InstallerExit::usage, folder.error()));
    Sources sources;
    if (auto failure = open_sources(request, *folder, kPackage, sources))
        return failed(std::move(*failure));
    auto module = unpack(sources, "puppet/");
    if (!module)
        return failed(install::failure_from(InstallerExit::bundle_refused, module.error()));
    return finish(*folder, "puppet", files_of(sources, std::move(*module)),
                  {"Fill in the names of your hosts in manifests/site.pp; a host's group decides its profile.",
                   "The folder is an environment: put it below the server's environmentpath under the name you want."});
}

} // namespace picket::project
