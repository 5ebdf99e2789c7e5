#include <picket/sys/packages.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "package_managers.h"

namespace picket::sys {
namespace {

constexpr const char* kDpkgStatus = "/var/lib/dpkg/status";
/// SQLite, ndb and Berkeley DB, each where the distributions have had it.
constexpr std::array<const char*, 6> kRpmDatabases{"/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite",
                                                   "/var/lib/rpm/Packages.db",  "/usr/lib/sysimage/rpm/Packages.db",
                                                   "/var/lib/rpm/Packages",     "/usr/lib/sysimage/rpm/Packages"};

} // namespace

/// The lines that say why, without the progress around them; at most 400 characters.
std::string reason_of(const RunOutcome& outcome) {
    if (outcome.timed_out)
        return "it did not end in time";
    std::vector<std::string> lines;
    for (const std::string_view line : split(outcome.error_output, '\n'))
        if (const auto text = trim(line); !text.empty() && text.find("debconf:") == std::string_view::npos)
            lines.push_back(escape_for_display(text));
    std::string reason = lines.empty() ? fmt::format("exit status {}", outcome.exit_status) : join(lines, "; ");
    if (reason.size() > 400)
        reason = reason.substr(0, 400) + " …";
    return reason;
}

Error package_failure(std::string_view program, const RunOutcome& outcome,
                      std::span<const std::string_view> lock_phrases) {
    const bool locked = std::any_of(lock_phrases.begin(), lock_phrases.end(), [&outcome](std::string_view phrase) {
        return outcome.error_output.find(phrase) != std::string::npos;
    });
    return Error(locked ? ErrorCode::unavailable : ErrorCode::internal,
                 fmt::format("{}: {}", program, reason_of(outcome)));
}

std::string_view to_string(PackageStatus status) {
    switch (status) {
    case PackageStatus::absent:
        return "absent";
    case PackageStatus::config_files:
        return "removed";
    case PackageStatus::broken:
        return "broken";
    case PackageStatus::installed:
        return "installed";
    }
    return "absent";
}

std::string rpm_database(const Root& root) {
    const auto* found = std::find_if(kRpmDatabases.begin(), kRpmDatabases.end(),
                                     [&root](const char* path) { return root.exists(path); });
    return found == kRpmDatabases.end() ? std::string() : *found;
}

bool has_rpm_database(const Root& root) {
    return !rpm_database(root).empty();
}

Result<std::unique_ptr<PackageManager>> package_manager_of(const Root& root, PackageSystem system) {
    if (system != PackageSystem::rpm && root.exists(kDpkgStatus))
        return make_dpkg(root.label());
    if (system != PackageSystem::dpkg && has_rpm_database(root))
        return make_rpm(root);
    return Error(ErrorCode::not_found,
                 fmt::format("no package manager that this program can drive: below {}/var/lib is no database of {}",
                             root.label(),
                             system == PackageSystem::rpm    ? "rpm"
                             : system == PackageSystem::dpkg ? "dpkg"
                                                             : "dpkg or rpm"));
}

} // namespace picket::sys
