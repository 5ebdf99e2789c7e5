#include <algorithm>

#include <fmt/format.h>
#include <picket/install/files.h>

#include "plan_parts.h"

namespace picket::install {
namespace {

using data::Json;

constexpr mode_t kPublic = 0644;

/// What the package brought is what a bundle would have brought beside it.
std::string packaged_definitions(const RepositoryMaterial& repository) {
    return fmt::format("package-{}", repository.version);
}

/// On a host that never had such files their folders may be missing; those that are made go with them.
void add_folders_of(Plan& plan, const std::vector<FileChange>& changes) {
    std::vector<std::string> folders;
    for (const FileChange& change : changes)
        for (auto slash = change.path.find('/', 1); slash != std::string::npos;
             slash = change.path.find('/', slash + 1))
            if (change.content)
                folders.push_back(change.path.substr(0, slash));
    std::sort(folders.begin(), folders.end());
    folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
    add(plan, "directories.prepare", "prepare the repository's directories", {{"directories", folders}}, false);
}

/// Those of the last run that the publisher has given up.
Json former_keys(const HostState& state, const TrustedRepository& source) {
    Json former = Json::array();
    for (const std::string& key : data::strings_of(data::member(data::member(state.receipt, "repository"), "keys")))
        if (std::find(source.fingerprints.begin(), source.fingerprints.end(), key) == source.fingerprints.end())
            former.push_back(key);
    return former;
}

} // namespace

void add_repository(Plan& plan, const HostState& state, const Wishes& wishes) {
    const sys::RepositoryKind kind = wishes.repository_kind;
    const TrustedRepository& source = wishes.repository->source;
    std::vector<FileChange> changes;
    Json keys = Json::array();
    for (const std::string& path : sys::repository_file_names(kind))
        changes.push_back({path, std::nullopt, kPublic});
    for (const sys::RepositoryFile& file : sys::repository_files(kind, source.repository)) {
        for (FileChange& change : changes)
            if (change.path == file.path)
                change.content = file.content;
        if (kind != sys::RepositoryKind::apt && !file.path.ends_with(".repo"))
            keys.push_back(file.path);
    }
    add_folders_of(plan, changes);
    const std::size_t before = plan.journal.steps.size();
    add_files(plan, state, "repository.configure", "set up the repository " + source.repository.url, changes);
    if (plan.journal.steps.size() > before && !keys.empty())
        add(plan, "repository.trust", "give its keys to rpm",
            {{"keys", source.fingerprints}, {"files", keys}, {"former_keys", former_keys(state, source)}});
}

void add_repository_package(Plan& plan, const HostState& state, const Wishes& wishes) {
    const RepositoryMaterial& repository = *wishes.repository;
    add(plan, "package_manager.wait", "wait for the package manager", {{"timeout_ms", wishes.lock_timeout.count()}},
        false);
    add(plan, "package.install",
        fmt::format("install the package {} {} from the repository", files::kPackageName, repository.version),
        {{"package", files::kPackageName},
         {"version", repository.version},
         {"manager", state.package_system},
         {"repository", repository.source.repository.url},
         {"mend", wishes.repair},
         {"state_kept", state.state_kept}});
}

void add_repository_definitions(Plan& plan, const HostState& state, const Wishes& wishes) {
    if (!state.definitions.empty())
        return;
    const std::string name = packaged_definitions(*wishes.repository);
    add(plan, "definitions.install", fmt::format("install the definitions {}", name),
        {{"name", name}, {"previous", state.definitions}, {"directory", files::kPackagedDefinitions}});
}

void add_repository_removal(Plan& plan, const HostState& state) {
    if (const Json& repository = data::member(state.receipt, "repository"); repository.is_object())
        add(plan, "repository.remove", "forget the repository " + data::string_or(repository, "url", ""),
            {{"files", data::member(repository, "files")}, {"keys", data::member(repository, "keys")}});
}

} // namespace picket::install
