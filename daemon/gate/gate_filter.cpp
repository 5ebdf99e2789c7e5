#include "gate_filter.h"

#include <fcntl.h>

#include <picket/sandbox/seccomp_filter.h>
#include <picket/watch/file_facts.h>

namespace picket::daemon {

namespace {

void allow_only(std::initializer_list<const char*> names, std::vector<sandbox::SyscallRule> rules) {
    sandbox::FilterOptions options;
    options.default_action = sandbox::FilterAction::trap;
    options.allowed = std::move(rules);
    for (const char* name : names)
        options.allowed.push_back({name});
    const auto installed = sandbox::install_filter(options);
    PICKET_CHECK(installed || installed.error().code() == ErrorCode::unavailable);
}

} // namespace

void confine_keeper() {
    allow_only({"fanotify_mark",   "read",       "write",          "close",        "poll",
                "ppoll",           "recvmsg",    "recvfrom",       "sendmsg",      "sendto",
                "socketpair",      "setsockopt", "fcntl",          "mmap",         "munmap",
                "mremap",          "mprotect",   "madvise",        "brk",          "futex",
                "clock_gettime",   "getrandom",  "rt_sigprocmask", "rt_sigaction", "rt_sigreturn",
                "restart_syscall", "getpid",     "gettid",         "tgkill",       "exit",
                "exit_group"},
               {{"openat", {sandbox::ArgumentCondition::is(2, O_PATH | O_CLOEXEC)}},
                {"open", {sandbox::ArgumentCondition::is(1, O_PATH | O_CLOEXEC)}}});
}

void confine_gate_thread() {
    allow_only(
        {// the group, the engine, the guard, other threads
         "fanotify_mark", "read", "write", "writev", "close", "epoll_wait", "epoll_pwait", "epoll_ctl", "accept4",
         "recvmsg", "sendmsg", "sendto", "recvfrom", "getsockopt", "setsockopt", "poll", "ppoll",
         // a look at an event's descriptor; readlink asks procfs for a name and opens nothing
         "fstat", "newfstatat", "statx", "fstatfs", "readlink", "readlinkat", "name_to_handle_at", "fcntl", "lseek",
         // memory, locks, time, the end
         "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "futex", "clock_gettime", "gettimeofday",
         "clock_nanosleep", "nanosleep", "sched_yield", "getrandom", "rt_sigprocmask", "rt_sigaction", "rt_sigreturn",
         "sigaltstack", "restart_syscall", "getpid", "gettid", "getuid", "geteuid", "tgkill", "set_robust_list", "rseq",
         "exit", "exit_group", "prctl"},
        {{"ioctl", {sandbox::ArgumentCondition::is(1, watch::kGenerationRequest)}}});
}

} // namespace picket::daemon
