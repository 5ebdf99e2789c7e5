#include <fmt/format.h>
#include <picket/profile/authored.h>
#include <picket/profile/schema.h>

#include "sources.h"

/// Exports that are no project of a tool.
namespace picket::project {

Outcome export_profiles(const Request& request) {
    const auto folder = open_folder(request);
    if (!folder)
        return failed(install::failure_from(InstallerExit::usage, folder.error()));
    std::vector<ProjectFile> files;
    for (const profile::ShippedProfile& shipped : profile::shipped_profiles())
        files.push_back({fmt::format("{}.yaml", shipped.name), std::string(shipped.text)});
    files.push_back({"picket-profile.schema.json", data::to_pretty_text(profile::schema()) + "\n"});
    return finish(*folder, "profiles", files, {"picket profile validate FILE checks what you make of them."});
}

Outcome export_repository(const Request& request, const std::vector<sys::RepositoryFile>& repository) {
    const auto folder = open_folder(request);
    if (!folder)
        return failed(install::failure_from(InstallerExit::usage, folder.error()));
    std::vector<ProjectFile> files;
    for (const sys::RepositoryFile& file : repository)
        files.push_back({file.path, file.content});
    return finish(*folder, "repo", files, {"README.txt says how hosts take it."});
}

} // namespace picket::project
