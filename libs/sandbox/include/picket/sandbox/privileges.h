#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include <picket/base/result.h>

/// Rights that a process gives away for good.
namespace picket::sandbox {

struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
};

/// A user by name, or a bare number (its group is then the same number). not_found names it.
Result<Identity> find_identity(std::string_view user);

/// No supplementary groups, empty bounding set, real, effective and saved ids; root only. Checked: a way back is an
/// error.
Result<void> become(const Identity& identity);

/// Empties every capability set (bounding and ambient too, as far as the kernel lets us) and sets no_new_privs. A
/// process that had none before is content.
Result<void> drop_all_capabilities();

/// No core, no ptrace by others of the same user, /proc/PID belongs to root.
Result<void> become_undumpable();

/// Dies with its parent, also where the parent is already gone: call it first thing in a child.
Result<void> die_with_parent(pid_t expected_parent);

struct ResourceLimit {
    int resource = 0; ///< RLIMIT_…
    std::uint64_t value = 0;
};
/// Soft and hard limit; a value above the hard limit in force is cut to it.
Result<void> set_limits(const std::vector<ResourceLimit>& limits);
/// The soft limit only: it can be raised again.
Result<void> set_soft_limits(const std::vector<ResourceLimit>& limits);

} // namespace picket::sandbox
