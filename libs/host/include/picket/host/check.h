#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/clock.h>
#include <picket/data/json.h>
#include <picket/host/facts.h>
#include <picket/host/package_manager.h>
#include <picket/model/exit_code.h>
#include <picket/sys/file.h>

namespace picket::host {

enum class CheckStatus { pass, warn, fail, skip };
std::string_view to_string(CheckStatus status);
/// Advisory checks inform and warn; they never fail.
enum class Severity { blocking, advisory };
std::string_view to_string(Severity severity);

/// One answer. Texts are escaped for display and need no further care.
struct CheckResult {
    std::string id;
    CheckStatus status = CheckStatus::pass;
    Severity severity = Severity::blocking;
    std::string observed;  ///< what is; of a skipped check, why it was not made
    std::string required;  ///< what would be right; "" where nothing is required
    std::string fix;       ///< what to do; "" where there is nothing to do
    bool accepted = false; ///< it failed, and --accept made a warning of that
    /// What the installer exits with where this check fails.
    InstallerExit exit_code = InstallerExit::requirement_not_met;
};

/// Room needed below one directory; needs on one file system add up.
struct SpaceNeed {
    std::string path;
    Bytes bytes;
};
/// Of an installation with the shipped definitions and their update.
std::vector<SpaceNeed> default_space_needs();

struct CheckOptions {
    const sys::Root& root;
    const Clock& clock;
    /// Ids given by --accept.
    std::vector<std::string> accepted = {};
    /// Text of --support-matrix; "" = the one built in.
    std::string support_matrix = {};
    std::vector<SpaceNeed> space = default_space_needs();
    std::uint64_t inodes_needed = 2'000;
    /// How long package_manager.idle waits for a lock before it fails.
    Milliseconds lock_timeout{0};
    /// Answers of checks that only the caller can make: bundle.*, onboarding.valid, network.*. What is not here is
    /// skipped. The severity is the table's; so is the exit code, unless one is set (onboarding_not_found).
    std::vector<CheckResult> supplied = {};
    /// Called while lock_timeout runs, as wait_for_package_manager calls it: to tell who is waited for, and to stop
    /// (false).
    std::function<bool(const LockHolder&)> waiting = {};
};

/// All checks in the order of the table, each exactly once. invalid_input where `accepted` names an unknown check (with
/// the nearest known one) or one that cannot be waived, or where the support matrix cannot be used: exit 2.
Result<std::vector<CheckResult>> run_checks(const CheckOptions& options);
/// The same with facts that were collected before.
Result<std::vector<CheckResult>> run_checks(const CheckOptions& options, const HostFacts& facts);

/// Ids in the order of the table.
std::vector<std::string> check_ids();
/// What run_checks says of `accepted`, without running anything.
Result<void> validate_accepted(const std::vector<std::string>& accepted);

/// `success` where nothing failed, else the exit code of the failure that comes first: not root, distribution, fanotify
/// conflict, package manager, bundle, onboarding, broken installation, then all others.
InstallerExit exit_code_of(const std::vector<CheckResult>& results);
/// The failure that exit_code_of speaks of; nullptr where nothing failed.
const CheckResult* first_failure(const std::vector<CheckResult>& results);

data::Json to_json(const CheckResult& result);
data::Json to_json(const std::vector<CheckResult>& results);

} // namespace picket::host
