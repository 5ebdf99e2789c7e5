#include "confined_child_setup.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sandbox/network_only.h>
#include <picket/sandbox/privileges.h>
#include <picket/sandbox/seccomp_filter.h>
#include <picket/sys/file.h>

namespace picket::sandbox {
namespace {

/// Above what distributions, systemd and container managers hand out (systemd's docs/UIDS-GIDS); below 2^31.
constexpr std::uint32_t kHighUids = 0x7100'0000;
constexpr std::uint32_t kHighUidCount = 0x0080'0000;
/// Where only 65536 ids are mapped (a container): a range that nobody allocates from.
constexpr std::uint32_t kLowUids = 60706;
constexpr std::uint32_t kLowUidCount = 478;

/// What parsing needs: its descriptors, memory that is never executable, clocks, an end.
std::vector<SyscallRule> allowed_calls(int output) {
    std::vector<SyscallRule> calls{
        {"read"},
        {"pread64"},
        {"lseek"},
        {"fstat"},
        {"close"},
        {"write", {ArgumentCondition::is(0, static_cast<std::uint64_t>(output))}},
        {"mmap", {ArgumentCondition::has_none_of(2, PROT_EXEC)}},
        {"mprotect", {ArgumentCondition::has_none_of(2, PROT_EXEC)}},
        {"munmap"},
        {"mremap"},
        {"brk"},
        {"madvise"},
        {"futex"},
        {"getrandom"},
        {"clock_gettime"},
        {"gettimeofday"},
        {"time"},
        {"rt_sigprocmask"},
        {"rt_sigreturn"},
        {"restart_syscall"},
        {"exit"},
        {"exit_group"},
    };
    if constexpr (kSanitized) { // their run time yields, looks at itself, and reports on descriptor 2
        for (const char* name : {"sigaltstack", "sched_yield", "getpid", "gettid", "rt_sigaction"})
            calls.push_back({name});
        calls.push_back({"write", {ArgumentCondition::is(0, 2)}});
    }
    return calls;
}

/// What the C library tries by itself (time zone, character sets, sorting) and does without when refused. All else ends
/// the process.
std::vector<FailingSyscall> refused_calls() {
    std::vector<FailingSyscall> calls;
    for (const char* name :
         {"open", "openat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
          "readlinkat", "getcwd", "ioctl", "sysinfo", "prlimit64", "getrlimit", "uname"})
        calls.push_back({name, EACCES});
    return calls;
}

void reset_signals() {
    for (const int number :
         {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2, SIGSYS, SIGXCPU})
        std::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

void close_between(unsigned first, unsigned last) {
    if (first > last || syscall(__NR_close_range, first, last, 0U) == 0)
        return;
    const long top = sysconf(_SC_OPEN_MAX);
    const auto end = std::min<std::uint64_t>(last, top > 0 ? static_cast<std::uint64_t>(top) : 65536);
    for (std::uint64_t fd = first; fd <= end; ++fd)
        close(static_cast<int>(fd));
}

/// 0, 1 and 2 must not be free, or a library that writes to them would hit something else.
void keep_only(std::vector<int> kept) {
    std::sort(kept.begin(), kept.end());
    const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int standard : {0, 1, 2})
        if (!std::binary_search(kept.begin(), kept.end(), standard) && !(kSanitized && standard == 2) && null &&
            null.get() != standard)
            dup2(null.get(), standard);
    unsigned next = 3;
    for (const int fd : kept) {
        if (fd < 3)
            continue;
        close_between(next, static_cast<unsigned>(fd) - 1);
        next = static_cast<unsigned>(fd) + 1;
    }
    close_between(next, ~0U);
}

std::uint32_t random_below(std::uint32_t bound) {
    std::uint32_t value = 0;
    if (syscall(__NR_getrandom, &value, sizeof value, 0) != sizeof value) // before 3.17
        value = static_cast<std::uint32_t>(getpid()) * 2654435761U;
    return value % bound;
}

std::uint32_t low_unused_uid() {
    const std::string known = sys::read_kernel_file("/etc/passwd").value_or("");
    const std::uint32_t start = random_below(kLowUidCount);
    for (std::uint32_t i = 0; i < kLowUidCount; ++i) {
        const std::uint32_t uid = kLowUids + (start + i) % kLowUidCount;
        if (known.find(fmt::format(":{}:", uid)) == std::string::npos)
            return uid;
    }
    return kLowUids;
}

Result<void> enter_empty_root(int directory) {
    if (fchdir(directory) != 0 || chroot(".") != 0)
        return Error::from_errno(errno, "changing to an empty root directory");
    close(directory);
    return {};
}

/// Drawn before the root directory changes.
struct UnusedUids {
    std::uint32_t high = kHighUids + random_below(kHighUidCount);
    std::uint32_t low = low_unused_uid();
};

Result<void> become_unused(const UnusedUids& uids) {
    auto became = become({uids.high, uids.high});
    if (!became && became.error().errno_value() == EINVAL) // not mapped in this user namespace
        return become({uids.low, uids.low});
    return became;
}

/// As root: another user in an empty root. Otherwise the empty root where user namespaces are to be had; the filter
/// refuses every path in any case.
Result<void> leave_host(int empty_root) {
    if (geteuid() != 0) {
        if (unshare(CLONE_NEWUSER) == 0)
            (void)enter_empty_root(empty_root).has_value();
        close(empty_root);
        return {};
    }
    const UnusedUids uids;
    PICKET_TRY(enter_empty_root(empty_root));
    return become_unused(uids);
}

std::uint64_t mapped_now() {
    const std::string text = sys::read_kernel_file("/proc/self/statm").value_or("0");
    const auto pages = parse_unsigned(split(text, ' ')[0]).value_or(0);
    return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

Result<void> limit_resources(const ConfinedLimits& limits, std::uint64_t mapped, std::uint64_t threads,
                             std::uint64_t descriptors) {
    std::vector<ResourceLimit> list{{RLIMIT_CPU, limits.cpu_seconds},
                                    {RLIMIT_NPROC, threads},
                                    {RLIMIT_FSIZE, 0},
                                    {RLIMIT_CORE, 0},
                                    {RLIMIT_MEMLOCK, 0},
                                    {RLIMIT_NOFILE, descriptors}};
    if constexpr (!kSanitized)
        list.push_back({RLIMIT_AS, mapped + limits.memory.count});
    return set_limits(list);
}

} // namespace

Result<UniqueFd> open_removed_directory() {
    for (const char* parent : {"/run", "/tmp", "/var/tmp", "/dev/shm"}) {
        std::string path = fmt::format("{}/picket-empty-XXXXXX", parent);
        if (mkdtemp(path.data()) == nullptr)
            continue;
        UniqueFd directory(open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (rmdir(path.c_str()) == 0 && directory)
            return directory;
    }
    return Error(ErrorCode::unavailable,
                 "no directory can be made in /run, /tmp, /var/tmp or /dev/shm: make one of them writable");
}

Result<void> confine(const Confinement& confinement) {
    PICKET_TRY(die_with_parent(confinement.parent));
    reset_signals();
    setsid();
    const std::uint64_t mapped = mapped_now();
    std::vector<int> kept = confinement.descriptors;
    kept.push_back(confinement.output);
    kept.push_back(confinement.empty_root);
    keep_only(kept);
    PICKET_TRY(leave_host(confinement.empty_root));
    // A change of ids clears the parent-death signal.
    PICKET_TRY(die_with_parent(confinement.parent));
    PICKET_TRY(drop_all_capabilities());
    PICKET_TRY(become_undumpable());
    PICKET_TRY(limit_resources(confinement.limits, mapped, 0, 0));
    FilterOptions filter;
    filter.allowed = allowed_calls(confinement.output);
    filter.failing = refused_calls();
    filter.default_action = FilterAction::trap;
    return install_filter(filter);
}

/// Names are looked up on a thread of its own; only an unused uid counts its threads alone.
Result<void> confine_to_network(const Confinement& confinement) {
    constexpr std::uint64_t kThreads = 32;
    constexpr std::uint64_t kDescriptors = 128;
    constexpr std::uint64_t kAsMany = ~std::uint64_t{0};
    const bool root = geteuid() == 0;
    PICKET_TRY(die_with_parent(confinement.parent));
    reset_signals();
    setsid();
    const std::uint64_t mapped = mapped_now();
    keep_only({confinement.output});
    if (root)
        PICKET_TRY(become_unused({}));
    PICKET_TRY(die_with_parent(confinement.parent));
    PICKET_TRY(drop_all_capabilities());
    PICKET_TRY(become_undumpable());
    PICKET_TRY(limit_resources(confinement.limits, mapped, root ? kThreads : kAsMany, kDescriptors));
    return restrict_to_network();
}

} // namespace picket::sandbox
