#include <picket/sandbox/network_only.h>

#include <cerrno>
#include <fcntl.h>
#include <sched.h>

#include <picket/base/unique_fd.h>
#include <picket/sandbox/landlock.h>
#include <picket/sandbox/seccomp_filter.h>

namespace picket::sandbox {
namespace {

/// Names are looked up by code that the C library loads, and certificates lie in many places: reading is left.
Result<void> restrict_to_reading() {
    const UniqueFd top(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!top)
        return Error::from_errno(errno, "opening /");
    const auto restricted = restrict_files({.allowed = {{top.get(), FileAccess::read}}, .allow_tcp = true});
    if (!restricted && restricted.error().code() != ErrorCode::unavailable)
        return restricted.error();
    return {};
}

/// What downloads need is libcurl's and the resolver's business; what nobody needs is taken away.
Result<void> take_calls_away() {
    FilterOptions options;
    options.default_action = FilterAction::allow;
    for (const char* name : {"execve",
                             "execveat",
                             "fork",
                             "vfork",
                             "ptrace",
                             "process_vm_readv",
                             "process_vm_writev",
                             "mount",
                             "umount2",
                             "pivot_root",
                             "chroot",
                             "setns",
                             "unshare",
                             "bpf",
                             "perf_event_open",
                             "keyctl",
                             "add_key",
                             "request_key",
                             "userfaultfd",
                             "io_uring_setup",
                             "open_by_handle_at",
                             "init_module",
                             "finit_module",
                             "kexec_load",
                             "personality",
                             "kill",
                             "tkill",
                             "pidfd_send_signal"})
        options.failing.push_back({name, EPERM});
    // Threads, yes, for looking up names; processes, no. What clone3 is asked for lies in memory, which no filter sees:
    // the C library then takes clone.
    options.failing.push_back({"clone", EPERM, {ArgumentCondition::has_none_of(0, CLONE_THREAD)}});
    options.failing.push_back({"clone3", ENOSYS});
    const auto installed = install_filter(options);
    if (!installed && installed.error().code() != ErrorCode::unavailable)
        return installed.error();
    return {};
}

} // namespace

Result<void> restrict_to_network() {
    PICKET_TRY(restrict_to_reading());
    return take_calls_away();
}

} // namespace picket::sandbox
