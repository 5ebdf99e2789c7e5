#include "confinement.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/engine_core/engine.h>
#include <picket/sandbox/landlock.h>
#include <picket/sandbox/privileges.h>

#include "sanitizers.h"

namespace picket::engine {
namespace {

constexpr std::uint64_t kMaximumTemporaryFile = mebibytes(512).count; // above kMaximumUnpacked
constexpr std::uint64_t kMaximumDescriptors = 256;
constexpr std::uint64_t kMaximumProcesses = 512; // of the whole user: 64 workers twice (reload), with their threads
/// Beyond what the definitions take: one mapped file of the largest size, and room to unpack it.
constexpr std::uint64_t kWorkerMemory = engine_core::kMaximumFile.count + gibibytes(1).count;

/// Probes of newer calls that have a fallback: no reason to end a process.
const std::vector<sandbox::FailingSyscall> kFallbacks{
    {"clone3", ENOSYS}, {"openat2", ENOSYS}, {"faccessat2", ENOSYS}, {"memfd_create", ENOSYS}, {"close_range", ENOSYS}};

/// The C library's iconv loads a module for a character set that a document names. Landlock hides the modules; before
/// 5.13 they are found, and must not be loaded: the set is then unknown, as it is everywhere else.
const sandbox::FailingSyscall kNoModules{"mmap", EACCES, {sandbox::ArgumentCondition::has_all_of(2, PROT_EXEC)}};

Result<bool> filter(std::vector<sandbox::SyscallRule> allowed, sandbox::FilterAction action,
                    std::vector<sandbox::FailingSyscall> failing = kFallbacks) {
    const auto installed = sandbox::install_filter({.allowed = std::move(allowed),
                                                    .failing = std::move(failing),
                                                    .default_action = action,
                                                    .default_errno = EPERM});
    if (!installed && installed.error().code() != ErrorCode::unavailable)
        return installed.error();
    return installed.has_value();
}

Result<int> landlock(std::vector<sandbox::FileRule> rules) {
    const auto restricted = sandbox::restrict_files({.allowed = std::move(rules)});
    if (!restricted && restricted.error().code() != ErrorCode::unavailable)
        return restricted.error();
    return restricted ? sandbox::landlock_abi() : 0;
}

Result<void> limit_worker(const MemoryUsage& usage) {
    PICKET_TRY(sandbox::set_limits({{RLIMIT_FSIZE, kMaximumTemporaryFile}, {RLIMIT_NOFILE, kMaximumDescriptors}}));
    if (kSanitizedBuild)
        return {};
    return sandbox::set_limits({{RLIMIT_AS, usage.address_space + kWorkerMemory + gibibytes(1).count},
                                {RLIMIT_DATA, usage.data + kWorkerMemory}});
}

} // namespace

Result<MemoryUsage> read_memory_usage(int statm) {
    std::array<char, 256> text{};
    const ssize_t length = pread(statm, text.data(), text.size(), 0);
    if (length <= 0)
        return Error::from_errno(errno, "reading /proc/self/statm");
    const auto fields = split(trim({text.data(), static_cast<std::size_t>(length)}), ' ');
    if (fields.size() < 6)
        return Error(ErrorCode::internal, "/proc/self/statm is not as expected");
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    const auto bytes = [&](std::size_t field) { return parse_unsigned(fields[field]).value_or(0) * page; };
    return MemoryUsage{bytes(0), bytes(1), bytes(5)};
}

Result<void> give_up_privileges() {
    PICKET_TRY(sandbox::drop_all_capabilities());
    PICKET_TRY(sandbox::become_undumpable());
    return sandbox::set_limits(
        {{RLIMIT_NPROC, kMaximumProcesses}, {RLIMIT_MEMLOCK, 0}, {RLIMIT_MSGQUEUE, 0}, {RLIMIT_RTPRIO, 0}});
}

Result<Confinement> confine_supervisor(int temporary_directory) {
    const UniqueFd top(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!top)
        return Error::from_errno(errno, "opening /");
    Confinement confinement;
    confinement.landlock_abi = PICKET_TRY(
        landlock({{top.get(), sandbox::FileAccess::read}, {temporary_directory, sandbox::FileAccess::read_write}}));
    confinement.seccomp = PICKET_TRY(filter(supervisor_syscalls(), sandbox::FilterAction::fail));
    return confinement;
}

Result<Confinement> confine_zygote(int generation_directory, int scratch) {
    Confinement confinement;
    confinement.landlock_abi = PICKET_TRY(
        landlock({{generation_directory, sandbox::FileAccess::read}, {scratch, sandbox::FileAccess::read_write}}));
    confinement.seccomp = PICKET_TRY(filter(zygote_syscalls(), sandbox::FilterAction::fail));
    return confinement;
}

Result<void> limit_load(const MemoryUsage& now) {
    if (kSanitizedBuild)
        return {};
    return sandbox::set_soft_limits({{RLIMIT_AS, now.address_space + kLoadMemory.count + gibibytes(1).count},
                                     {RLIMIT_DATA, now.data + kLoadMemory.count}});
}

Result<void> lift_load_limit() {
    return sandbox::set_soft_limits({{RLIMIT_AS, RLIM_INFINITY}, {RLIMIT_DATA, RLIM_INFINITY}});
}

Result<Confinement> confine_worker(int scratch, const MemoryUsage& usage, const WorkerLayers& layers) {
    Confinement confinement;
    if (layers.limits)
        PICKET_TRY(limit_worker(usage));
    if (layers.landlock)
        confinement.landlock_abi = PICKET_TRY(landlock({{scratch, sandbox::FileAccess::read_write}}));
    if (layers.seccomp) {
        auto failing = kFallbacks;
        failing.push_back(kNoModules);
        confinement.seccomp =
            PICKET_TRY(filter(worker_syscalls(), sandbox::FilterAction::kill_process, std::move(failing)));
    }
    return confinement;
}

} // namespace picket::engine
