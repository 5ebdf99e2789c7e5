#pragma once
#include <map>
#include <string>
#include <vector>

#include <picket/base/unique_fd.h>
#include <picket/project/project.h>

/// What a project is made of beside its templates: opened and verified.
namespace picket::project {

struct Sources {
    UniqueFd bundle;
    std::string bundle_name; ///< picket-VERSION-ARCH.tar.gz
    std::string version;
    std::map<std::string, std::string> files; ///< of the bundle: installer, ansible/*, puppet/*
    std::string onboarding;                   ///< the package's bytes; "" = none. Secret
    std::string organisation;
    std::string key;      ///< of the organisation, one line
    std::string key_file; ///< the same as a .pub file
};

std::optional<install::Failure> open_bundle(const Request& request, Sources& sources);

/// Bundle and onboarding package. `package_path`: where the project keeps the package, which is taken where the request
/// names none.
std::optional<install::Failure> open_sources(const Request& request, const sys::Root& folder,
                                             const std::string& package_path, Sources& sources);

/// The one file of the bundle that lies in `directory` ("ansible/"), unpacked. Entries' names are safe.
struct Archive {
    std::string name;
    std::string bytes;
    std::map<std::string, std::string> files;
};
Result<Archive> unpack(const Sources& sources, const std::string& directory);

/// The folder of the request, made where it is not there.
Result<sys::Root> open_folder(const Request& request);

/// Templates of that kind, filled in.
void add_templates(std::vector<ProjectFile>& files, const std::string& kind,
                   const std::map<std::string, std::string>& values);
Outcome finish(const sys::Root& folder, const std::string& kind, const std::vector<ProjectFile>& files,
               std::vector<std::string> next);
Outcome failed(install::Failure failure);

} // namespace picket::project
