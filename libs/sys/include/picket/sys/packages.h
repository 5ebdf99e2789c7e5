#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/sys/file.h>

namespace picket::sys {

enum class PackageStatus {
    absent,
    config_files, ///< removed, its configuration is still known to the package manager
    broken,       ///< unpacked, half-configured, half-installed, twice there, or not as packed: a run was cut off
    installed,
};
std::string_view to_string(PackageStatus status);

struct PackageState {
    PackageStatus status = PackageStatus::absent;
    std::string version; ///< empty where absent
    std::string detail;  ///< the package manager's own word: "half-configured"
    std::string held_by; ///< what keeps it at this version, as a command says it: "apt-mark hold"; "" = nothing
};

/// What a package file says of itself.
struct PackageFile {
    std::string name;
    std::string version; ///< as PackageState has it
    std::string architecture;
};

enum class PackageRemoval {
    keep_configuration,
    /// With configuration files and what the package's own scripts purge. rpm knows no such thing: a package that wants
    /// it leaves a program /var/lib/PACKAGE/purge behind when it goes.
    purge,
};

/// The host's own package manager, so that its records stay true. Every call runs a program in a session of its own
/// (a Ctrl-C does not reach it), never asks a question and never reaches for a network. One thread.
/// Errors: unavailable = another process holds its lock; not_found = dependencies are missing (the message names
/// them); internal = it failed otherwise (the message is its own).
class PackageManager {
  public:
    virtual ~PackageManager() = default;
    virtual std::string_view name() const = 0;
    virtual Result<PackageState> state(const std::string& package) = 0;
    virtual Result<PackageFile> inspect(const std::string& file) = 0;
    virtual Result<void> install(const std::string& file) = 0;
    /// Also from a broken state. Nothing happens where it is absent.
    virtual Result<void> remove(const std::string& package, PackageRemoval removal) = 0;
    /// Brings a package that a killed run left unpacked or half-configured to installed.
    virtual Result<void> finish(const std::string& package) = 0;
};

/// Whose records count where a tree has both: rpm can be installed on Debian, dpkg on RHEL.
enum class PackageSystem { unknown, dpkg, rpm };
/// The package manager of that tree, which must outlive it; not_found where there is none that this program can drive.
Result<std::unique_ptr<PackageManager>> package_manager_of(const Root& root,
                                                           PackageSystem system = PackageSystem::unknown);
bool has_rpm_database(const Root& root);

/// For tests and callers: one alternative of a Depends field.
struct Dependency {
    std::string name;
    std::string relation; ///< "", "<<", "<=", "=", ">=", ">>"
    std::string version;
};
/// "a (>= 1) | b, c" → {{a, b}, {c}}. What is malformed is left out.
std::vector<std::vector<Dependency>> parse_depends(std::string_view field);

} // namespace picket::sys
