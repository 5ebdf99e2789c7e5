#pragma once

namespace picket {

/// Exit codes of picket-installer; the numbers that existing MDE automation knows keep their meaning.
enum class InstallerExit {
    success = 0,
    internal = 1,
    usage = 2,
    not_root = 3,
    fanotify_conflict = 5,
    unsupported_distro = 10,
    unsupported_version = 11,
    requirement_not_met = 12,
    broken_installation = 15,
    not_installed = 20,
    installation_failed = 21,
    uninstallation_failed = 22,
    package_manager_busy = 27,
    bundle_refused = 28,
    onboarding_not_found = 30,
    onboarding_refused = 31,
    profile_refused = 41,
    self_test_failed = 50,
    already_running = 60,
    interrupted = 130,
};

/// Exit codes of picket.
enum class CliExit {
    done = 0,
    failed = 1,
    usage = 2,
    needs_root = 3,
    daemon_not_running = 4,
    managed = 5,
    threats_found = 10,
    profile_refused = 41,
};

} // namespace picket
