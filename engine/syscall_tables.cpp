#include <array>
#include <csignal>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "confinement.h"

namespace picket::engine {
namespace {

using sandbox::ArgumentCondition;
using sandbox::SyscallRule;
using Names = std::vector<const char*>;

/// What libclamav and the C library do while they scan: memory, time, threads, files by descriptor or in the scratch
/// directory. Names of the 64-bit calls and of their older forms; an architecture takes those that it has.
const Names kScanning{
    // files
    "read", "pread64", "readv", "preadv", "write", "pwrite64", "writev", "lseek", "_llseek", "close", "open", "openat",
    "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "newfstatat", "fstatat64", "statx", "access", "faccessat",
    "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "getdents", "getdents64", "ftruncate", "ftruncate64", "fcntl",
    "fcntl64", "dup", "dup2", "dup3", "fadvise64", "readlink", "readlinkat", "getcwd", "umask", "fsync", "statfs",
    "fstatfs", "ioprio_set",
    // memory
    "munmap", "mremap", "brk", "madvise", "msync",
    // time
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "getrusage",
    // threads and signals
    "futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "sigaltstack", "restart_syscall", "exit", "exit_group", "membarrier",
    // what one may know about oneself
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "sysinfo", "uname", "getrandom",
    // its connection to the gate
    "recvmsg", "sendmsg", "sendto", "recvfrom", "recv", "send", "shutdown", "poll", "ppoll"};

/// A zygote besides: makes workers, confines them, watches them.
const Names kForking{"wait4",
                     "waitid",
                     "setrlimit",
                     "prlimit64",
                     "getrlimit",
                     "connect",
                     "getsockopt",
                     "getsockname",
                     "setsockopt",
                     "signalfd4",
                     "seccomp",
                     "landlock_create_ruleset",
                     "landlock_add_rule",
                     "landlock_restrict_self",
                     "pipe2",
                     "prctl",
                     "set_tid_address",
                     "arch_prctl",
                     "epoll_create1",
                     "getpgid",
                     "getpgrp"};

constexpr std::uint64_t kThreadFlags = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
constexpr std::uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                         CLONE_NEWNET | 0x02000000 /* CLONE_NEWCGROUP */ |
                                         0x00000080 /* CLONE_NEWTIME */;
constexpr int kSetAnonymousName = 0x53564d41; // PR_SET_VMA: the C library names its own memory

void add(std::vector<SyscallRule>& rules, const Names& names) {
    for (const char* name : names)
        rules.push_back({name});
}

/// Nothing that can be written is ever run, and nothing new is.
void add_memory_without_execution(std::vector<SyscallRule>& rules) {
    for (const char* name : {"mmap", "mmap2", "mprotect"})
        rules.push_back({name, {ArgumentCondition::has_none_of(2, PROT_EXEC)}});
}

} // namespace

std::vector<SyscallRule> worker_syscalls() {
    std::vector<SyscallRule> rules;
    add(rules, kScanning);
    add_memory_without_execution(rules);
    rules.push_back({"clone", {ArgumentCondition::has_all_of(0, kThreadFlags)}});
    // libclamav makes a directory for each scan and then says so once more. Nothing becomes readable for others by it.
    rules.push_back({"chmod", {ArgumentCondition::is(1, 0700)}});
    rules.push_back({"fchmodat", {ArgumentCondition::is(2, 0700)}});
    // abort() of its own; nobody else's.
    rules.push_back({"tgkill", {ArgumentCondition::is(0, static_cast<std::uint64_t>(getpid()))}});
    rules.push_back({"prctl", {ArgumentCondition::is(0, PR_SET_NAME)}});
    rules.push_back({"prctl", {ArgumentCondition::is(0, kSetAnonymousName)}});
    // The limits may be read, not set.
    rules.push_back({"prlimit64", {ArgumentCondition::is(0, 0), ArgumentCondition::is(2, 0)}});
    return rules;
}

std::vector<SyscallRule> zygote_syscalls() {
    std::vector<SyscallRule> rules;
    add(rules, kScanning);
    add(rules, {"chmod", "fchmodat"});
    add(rules, kForking);
    add_memory_without_execution(rules);
    rules.push_back({"clone", {ArgumentCondition::has_none_of(0, kNewNamespaces)}});
    rules.push_back({"socket", {ArgumentCondition::is(0, AF_UNIX)}});
    rules.push_back({"socketpair", {ArgumentCondition::is(0, AF_UNIX)}});
    rules.push_back({"kill", {ArgumentCondition::is(1, SIGKILL)}});
    rules.push_back({"kill", {ArgumentCondition::is(1, SIGTERM)}});
    rules.push_back({"tgkill"});
    return rules;
}

std::vector<SyscallRule> supervisor_syscalls() {
    // Its children inherit this filter. A zygote loads code before it confines itself: the unrar module, converters.
    std::vector<SyscallRule> rules = zygote_syscalls();
    add(rules, {"mmap", "mmap2", "mprotect"});
    return rules;
}

} // namespace picket::engine
