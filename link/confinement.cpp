#include "confinement.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <picket/base/bytes.h>
#include <picket/base/unique_fd.h>
#include <picket/sandbox/landlock.h>
#include <picket/sandbox/privileges.h>
#include <picket/sandbox/seccomp_filter.h>

namespace picket::link {
namespace {

constexpr std::uint64_t kLargestFile = gibibytes(1).count; // definitions::kMaximumFileSize
constexpr std::uint64_t kDescriptors = 128;

Result<void> become_user(const std::string& user) {
    if (geteuid() != 0)
        return {};
    const sandbox::Identity identity = PICKET_TRY(sandbox::find_identity(user));
    if (identity.uid == 0)
        return Error(ErrorCode::invalid_input, "--user: picket-link does not run as root");
    return sandbox::become(identity);
}

/// Names are looked up by code that the C library loads, and certificates lie in many places: reading is left.
Result<void> restrict_to_reading() {
    const UniqueFd top(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!top)
        return Error::from_errno(errno, "opening /");
    const auto restricted =
        sandbox::restrict_files({.allowed = {{top.get(), sandbox::FileAccess::read}}, .allow_tcp = true});
    if (!restricted && restricted.error().code() != ErrorCode::unavailable)
        return restricted.error();
    return {};
}

/// What downloads need is libcurl's and the resolver's business; what nobody needs is taken away.
Result<void> take_calls_away() {
    sandbox::FilterOptions options;
    options.default_action = sandbox::FilterAction::allow;
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
    const auto installed = sandbox::install_filter(options);
    if (!installed && installed.error().code() != ErrorCode::unavailable)
        return installed.error();
    return {};
}

} // namespace

Result<void> confine(const std::string& user) {
    PICKET_TRY(become_user(user));
    PICKET_TRY(sandbox::drop_all_capabilities());
    PICKET_TRY(sandbox::become_undumpable());
    PICKET_TRY(sandbox::set_limits({{RLIMIT_FSIZE, kLargestFile}, {RLIMIT_NOFILE, kDescriptors}, {RLIMIT_CORE, 0}}));
    PICKET_TRY(restrict_to_reading());
    return take_calls_away();
}

} // namespace picket::link
