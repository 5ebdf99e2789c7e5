#pragma once
#include <string>
#include <vector>

#include <picket/sys/file.h>

namespace picket::install {

/// A package that stays on the host, so that there is a way back to it: /var/lib/picket/install/packages, 0700, holds
/// each under a name that says what it is: VERSION_SHA256.deb or .rpm. It came out of a bundle or a repository whose
/// signature was good.
struct KeptPackage {
    std::string version;
    std::string sha256; ///< 64 hex digits, as they were when its signature was verified
    std::string path;   ///< absolute in the root
};

/// Where the package of that version is kept. `file`: any name of it; its ending stays.
KeptPackage kept_package(const std::string& version, const std::string& sha256, const std::string& file);
/// In the order of their versions, oldest first; what has another name is not ours and left out.
std::vector<KeptPackage> kept_packages(const sys::Root& root);
/// Whether its bytes are those that its name says. Errors: corrupt = they are not; not_found.
Result<void> verify(const sys::Root& root, const KeptPackage& package);
/// Removes all but those of `versions`; gives how many went. What cannot be removed stays.
std::size_t prune_kept_packages(const sys::Root& root, const std::vector<std::string>& versions);

} // namespace picket::install
