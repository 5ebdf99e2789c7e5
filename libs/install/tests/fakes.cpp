#include "fakes.h"

namespace picket::install::fakes {
namespace {

void collect(const sys::Root& root, const std::string& directory, std::map<std::string, std::string>& into) {
    for (const std::string& name :
         root.list(directory.empty() ? "/" : directory).value_or(std::vector<std::string>{})) {
        const std::string path = directory + "/" + name;
        const auto status = root.status(path);
        if (status && S_ISDIR(status->st_mode)) {
            into[path + "/"] = "";
            collect(root, path, into);
        } else {
            into[path] = root.read(path, mebibytes(1)).value_or("");
        }
    }
}

} // namespace

std::map<std::string, std::string> ScratchTree::contents() const {
    std::map<std::string, std::string> all;
    collect(sys::Root::open(path_).value(), "", all);
    for (const char* directory : {"/run/", "/etc/", "/usr/", "/usr/sbin/", "/var/", "/var/lib/"})
        all.erase(directory);
    all.erase(files::kLock);
    return all;
}

} // namespace picket::install::fakes
