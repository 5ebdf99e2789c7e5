#include <picket/install/failure.h>

#include <array>

namespace picket::install {
namespace {

struct ExitRow {
    InstallerExit exit;
    std::string_view name;
    std::string_view fix;
};
constexpr std::array kExits{
    ExitRow{InstallerExit::success, "success", ""},
    ExitRow{InstallerExit::internal, "internal", "Report it with the log file (--log-file)."},
    ExitRow{InstallerExit::usage, "usage", "See picket-installer --help."},
    ExitRow{InstallerExit::not_root, "not_root", "Run it with sudo or as root."},
    ExitRow{InstallerExit::fanotify_conflict, "fanotify_conflict",
            "Stop or remove the other product that is named, then try again."},
    ExitRow{InstallerExit::unsupported_distro, "unsupported_distro",
            "Use a supported distribution, or add a line with --support-matrix FILE."},
    ExitRow{InstallerExit::unsupported_version, "unsupported_version",
            "Upgrade the operating system to a supported version."},
    ExitRow{InstallerExit::requirement_not_met, "requirement_not_met",
            "Meet the requirement that is named, or waive the check with --accept ID."},
    ExitRow{InstallerExit::broken_installation, "broken_installation",
            "Run picket-installer uninstall, then install again."},
    ExitRow{InstallerExit::not_installed, "not_installed", "Run picket-installer install first."},
    ExitRow{InstallerExit::installation_failed, "installation_failed",
            "Everything was undone. Remove the cause that is named, then install again."},
    ExitRow{InstallerExit::uninstallation_failed, "uninstallation_failed",
            "Remove the cause that is named, then run picket-installer uninstall again."},
    ExitRow{InstallerExit::package_manager_busy, "package_manager_busy",
            "Wait until the other package manager has ended (or raise --lock-timeout), or make it whole: dpkg "
            "--configure -a; yum-complete-transaction."},
    ExitRow{InstallerExit::bundle_refused, "bundle_refused",
            "Fetch the bundle again, and check that it comes from whom you expect."},
    ExitRow{InstallerExit::onboarding_not_found, "onboarding_not_found",
            "Name the organisation's package with --onboarding FILE."},
    ExitRow{InstallerExit::onboarding_refused, "onboarding_refused",
            "Ask for a new onboarding package (picket-onboarding create)."},
    ExitRow{InstallerExit::profile_refused, "profile_refused",
            "Correct the profile; picket profile validate FILE checks it."},
    ExitRow{InstallerExit::self_test_failed, "self_test_failed",
            "Picket is installed; picket health says what is missing. Then run picket-installer selftest."},
    ExitRow{InstallerExit::already_running, "already_running", "Wait until the other picket-installer has ended."},
    ExitRow{InstallerExit::interrupted, "interrupted", "Everything was undone. Run it again when you want it done."},
};

const ExitRow& row_of(InstallerExit exit) {
    for (const ExitRow& row : kExits)
        if (row.exit == exit)
            return row;
    return kExits[1];
}

} // namespace

std::string_view name_of(InstallerExit exit) {
    return row_of(exit).name;
}
std::string_view general_fix(InstallerExit exit) {
    return row_of(exit).fix;
}

Failure failure_from(InstallerExit exit, const Error& error, std::string fix) {
    return Failure{exit, error.message(), std::move(fix)};
}

data::Json to_json(const Failure& failure) {
    return {{"code", static_cast<int>(failure.exit)},
            {"name", name_of(failure.exit)},
            {"message", failure.message},
            {"fix", failure.fix.empty() ? std::string(general_fix(failure.exit)) : failure.fix}};
}

} // namespace picket::install
