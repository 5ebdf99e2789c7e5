#include "merged_usr.h"

#include <array>

namespace picket::sys {

MergedUsr::MergedUsr(const Root& root) {
    for (const char* directory : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"})
        if (const auto status = root.status(directory); status && S_ISLNK(status->st_mode) && status->st_uid == 0)
            merged_.emplace_back(directory);
}

std::string MergedUsr::unmerged(std::string path) const {
    constexpr std::string_view kUsr = "/usr";
    if (!path.starts_with(kUsr))
        return path;
    const std::string_view below = std::string_view(path).substr(kUsr.size());
    for (const std::string& directory : merged_)
        if (below.starts_with(directory) && below.substr(directory.size()).starts_with('/'))
            return std::string(below);
    return path;
}

} // namespace picket::sys
