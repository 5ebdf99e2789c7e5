#include "gate_filter.h"

#include <picket/sandbox/seccomp_filter.h>
#include <picket/watch/file_facts.h>

namespace picket::daemon {

void confine_gate_thread() {
    sandbox::FilterOptions options;
    options.default_action = sandbox::FilterAction::trap;
    for (const char* name :
         {// the group, the engine, the guard, other threads
          "fanotify_mark", "read", "write", "writev", "close", "epoll_wait", "epoll_pwait", "epoll_ctl", "accept4",
          "recvmsg", "sendmsg", "sendto", "recvfrom", "getsockopt", "setsockopt", "poll", "ppoll",
          // a look at an event's descriptor; readlink asks procfs for a name and opens nothing
          "fstat", "newfstatat", "statx", "fstatfs", "readlink", "readlinkat", "name_to_handle_at", "fcntl", "lseek",
          // memory, locks, time, the end
          "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "futex", "clock_gettime", "gettimeofday",
          "clock_nanosleep", "nanosleep", "sched_yield", "getrandom", "rt_sigprocmask", "rt_sigaction", "rt_sigreturn",
          "sigaltstack", "restart_syscall", "getpid", "gettid", "getuid", "geteuid", "tgkill", "set_robust_list",
          "rseq", "exit", "exit_group", "prctl"})
        options.allowed.push_back({name});
    options.allowed.push_back({"ioctl", {sandbox::ArgumentCondition::is(1, watch::kGenerationRequest)}});
    const auto installed = sandbox::install_filter(options);
    PICKET_CHECK(installed || installed.error().code() == ErrorCode::unavailable);
}

} // namespace picket::daemon
