#pragma once
#include <cstdint>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/result.h>
#include <picket/sandbox/seccomp_filter.h>

/// What each process of the engine may do, from the inside; the unit file says the same from the outside. Filters and
/// Landlock domains add up: each process gives away what it does not need before it does its work.
///                    loads      scans  forks  connects to the gate  files
///   supervisor       -          -      yes    control               reads all, writes the temporary directory
///   zygote           untrusted  -      yes    for its workers       reads its generation, writes its scratch
///   worker           -          yes    -      -                     its own scratch only
/// None may execute a program, trace, change mounts, namespaces or users, or reach a network.
namespace picket::engine {

/// Which layers are in force in the calling process. A layer that the kernel does not have is no error: the status and
/// `--probe-sandbox` tell.
struct Confinement {
    bool seccomp = false;
    int landlock_abi = 0; ///< 0 = not in force
};

struct MemoryUsage {
    std::uint64_t address_space = 0;
    std::uint64_t resident = 0;
    std::uint64_t data = 0;
};
/// From a descriptor of /proc/self/statm, which was opened before files were closed to us.
Result<MemoryUsage> read_memory_usage(int statm);

/// Once, in the program's start: capabilities, no_new_privs, undumpable, limits that hold for all.
Result<void> give_up_privileges();

Result<Confinement> confine_supervisor(int temporary_directory);
Result<Confinement> confine_zygote(int generation_directory, int scratch);
/// What loading a set of definitions may take: more than any honest one needs, less than the unit's MemoryMax, so that
/// the set that serves meanwhile keeps its room.
inline constexpr Bytes kLoadMemory = mebibytes(2'560);
/// From now until lift_load_limit() allocations beyond that fail. `now` is what is taken already.
Result<void> limit_load(const MemoryUsage& now);
Result<void> lift_load_limit();
/// Which layers of a worker's sandbox to take: all of them, except for the probe that shows each by itself.
struct WorkerLayers {
    bool limits = true;
    bool landlock = true;
    bool seccomp = true;
};
/// `usage` is what the zygote takes: a worker may have so much more than that, and no further.
Result<Confinement> confine_worker(int scratch, const MemoryUsage& usage, const WorkerLayers& layers = {});

/// The tables behind it, for the test that holds their names against libseccomp.
std::vector<sandbox::SyscallRule> supervisor_syscalls();
std::vector<sandbox::SyscallRule> zygote_syscalls();
std::vector<sandbox::SyscallRule> worker_syscalls();

} // namespace picket::engine
