#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <picket/base/result.h>

/// System-call filters as data: a list of names, each with conditions on its arguments, and what happens to the rest.
namespace picket::sandbox {

enum class FilterAction {
    kill_process, ///< SIGSYS for the whole process. On kernels before 4.14 the same through `trap`.
    trap,         ///< SIGSYS with its default disposition: ends the whole process on every kernel
    fail,         ///< the call returns -1 with an errno, the process goes on
    allow,        ///< for a filter that only takes single calls away
};

struct ArgumentCondition {
    enum class Comparison { equal, not_equal, less, less_or_equal, greater, greater_or_equal, masked_equal };
    unsigned argument = 0; ///< 0 to 5
    Comparison comparison = Comparison::equal;
    std::uint64_t value = 0;
    std::uint64_t mask = ~0ULL; ///< only for masked_equal: (argument & mask) == value

    static ArgumentCondition is(unsigned argument, std::uint64_t value) {
        return {argument, Comparison::equal, value, ~0ULL};
    }
    static ArgumentCondition has_none_of(unsigned argument, std::uint64_t bits) {
        return {argument, Comparison::masked_equal, 0, bits};
    }
    static ArgumentCondition has_all_of(unsigned argument, std::uint64_t bits) {
        return {argument, Comparison::masked_equal, bits, bits};
    }
};

/// One call. All conditions must hold; the same name may stand in several rules, each of which is enough. libseccomp
/// wants at most one condition per argument in a rule.
struct SyscallRule {
    std::string name;
    std::vector<ArgumentCondition> conditions = {};
};

/// A call that fails quietly although the default is harsher: probes with a fallback (clone3, openat2 …).
struct FailingSyscall {
    std::string name;
    int errno_value = 38; ///< ENOSYS
    std::vector<ArgumentCondition> conditions = {};
};

struct FilterOptions {
    std::vector<SyscallRule> allowed;
    std::vector<FailingSyscall> failing = {};
    FilterAction default_action = FilterAction::kill_process;
    int default_errno = 1; ///< EPERM; for FilterAction::fail
};

/// Puts the filter on the calling thread and what it starts from now on; other threads keep what they have (no TSYNC).
/// Sets no_new_privs. Filters add up: a call passes only where every filter lets it. Calls of another architecture or
/// ABI (int 0x80, x32) get the default action. Names that the build's libseccomp does not know on this architecture
/// ("open" on arm64) are left out. unavailable where the kernel has no filters.
Result<void> install_filter(const FilterOptions& options);

/// The names among `names` that libseccomp does not know here: a test holds the tables against it.
std::vector<std::string> unknown_syscalls(std::span<const SyscallRule> rules);

} // namespace picket::sandbox
