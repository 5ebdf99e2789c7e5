#pragma once
#include <optional>
#include <string>
#include <string_view>

#include <picket/data/json.h>
#include <picket/host/distro.h>

namespace picket::host {

/// What the installer plans with. Gathered from files, without starting a process.
struct HostFacts {
    std::optional<OsRelease> os_release; ///< nothing where it cannot be read: `distro` says why
    DistroVerdict distro;
    /// Of the support matrix; where it does not know the distribution, by what is installed.
    PackageFamily family = PackageFamily::unknown;
    PackageManager package_manager = PackageManager::none;
    bool systemd_present = false;
    bool systemd_running = false; ///< of the running host only
    std::string systemd_version;  ///< "252", "" where it cannot be told from file names
    /// Of the programs in `root` (ELF header of its shell): "x86_64"; "" where it cannot be told.
    std::string architecture;
    std::string container;      ///< "systemd-nspawn", "docker", "podman", "lxc", "wsl" …; "" where there is none
    std::string kernel_release; ///< "" with --root: the running kernel is not the image's
};

/// An Error only for a support matrix that cannot be used; "" means the one built in.
Result<HostFacts> collect_facts(const sys::Root& root, std::string_view support_matrix = {});

data::Json to_json(const HostFacts& facts);

} // namespace picket::host
