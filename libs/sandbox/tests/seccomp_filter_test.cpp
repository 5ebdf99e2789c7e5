#include <picket/sandbox/seccomp_filter.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/syscall.h>
#include <thread>

#include <doctest/doctest.h>

#include "in_child.h"

using namespace picket;
using namespace picket::sandbox;

namespace {

/// What a thread needs to do nothing and to end.
std::vector<SyscallRule> minimal() {
    std::vector<SyscallRule> rules;
    for (const char* name :
         {"exit", "exit_group", "write", "munmap", "mmap", "madvise", "futex", "rt_sigprocmask", "rt_sigreturn", "brk",
          "sigaltstack", "mprotect", "rt_sigaction", "gettid", "rseq", "set_robust_list", "restart_syscall"})
        rules.push_back({name});
    return rules;
}

int raw_open() {
    return static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY));
}

int with_filter(const FilterOptions& options, int (*action)()) {
    return in_child([&] { return install_filter(options) ? action() : 99; });
}

} // namespace

TEST_CASE("what is allowed works, a quiet failure has its errno, the rest ends the process") {
    FilterOptions options{.allowed = minimal(), .failing = {{"clone3", ENOSYS}}};
    CHECK(with_filter(options, [] { return 7; }) == 7);
    CHECK(with_filter(options, [] { return syscall(__NR_clone3, nullptr, 0) == -1 && errno == ENOSYS ? 0 : 1; }) == 0);
    CHECK(with_filter(options, raw_open) == 128 + SIGSYS);
    options.default_action = FilterAction::trap;
    CHECK(with_filter(options, raw_open) == 128 + SIGSYS);
    options.default_action = FilterAction::fail;
    options.default_errno = EACCES;
    CHECK(with_filter(options, [] { return raw_open() == -1 && errno == EACCES ? 0 : 1; }) == 0);
}

TEST_CASE("a filter that allows by default takes single calls away") {
    const FilterOptions options{.allowed = {}, .failing = {{"openat", EMFILE}}, .default_action = FilterAction::allow};
    CHECK(with_filter(options, [] { return raw_open() == -1 && errno == EMFILE ? 0 : 1; }) == 0);
}

TEST_CASE("conditions on arguments: each rule of one name is enough, all conditions of a rule must hold") {
    FilterOptions options{.allowed = minimal(), .default_action = FilterAction::fail};
    options.allowed.push_back({"lseek", {ArgumentCondition::is(0, 5)}});
    options.allowed.push_back({"lseek", {ArgumentCondition::is(0, 6), ArgumentCondition::is(2, SEEK_END)}});
    options.allowed.push_back({"fcntl", {ArgumentCondition::has_none_of(2, O_NONBLOCK)}});
    CHECK(with_filter(options, [] {
              const auto allowed = [](long result) { return result != -1 || errno != EPERM; };
              const bool right =
                  allowed(syscall(SYS_lseek, 5, 0, SEEK_SET)) && !allowed(syscall(SYS_lseek, 6, 0, SEEK_SET)) &&
                  allowed(syscall(SYS_lseek, 6, 0, SEEK_END)) && !allowed(syscall(SYS_lseek, 7, 0, SEEK_END)) &&
                  allowed(syscall(SYS_fcntl, 99, F_SETFL, O_APPEND)) &&
                  !allowed(syscall(SYS_fcntl, 99, F_SETFL, O_NONBLOCK));
              return right ? 0 : 1;
          }) == 0);
}

TEST_CASE("a filter is for the calling thread alone; trap in it ends the whole process") {
    const int outcome = in_child([] {
        std::atomic<int> step{0};
        std::thread confined([&] {
            FilterOptions options{.allowed = minimal(), .default_action = FilterAction::trap};
            if (!install_filter(options))
                _exit(99);
            step = 1;
            step.notify_all();
            step.wait(1);
            raw_open();
        });
        step.wait(0);
        if (raw_open() < 0) // this thread has no filter
            _exit(98);
        step = 2;
        step.notify_all();
        confined.join();
        return 97;
    });
    CHECK(outcome == 128 + SIGSYS);
}

TEST_CASE("a second filter only takes away") {
    FilterOptions first{.allowed = minimal(), .default_action = FilterAction::fail};
    for (const char* name : {"seccomp", "prctl", "getppid"})
        first.allowed.push_back({name});
    const int outcome = in_child([&] {
        FilterOptions second = first;
        second.allowed.push_back({"openat"});
        second.allowed.pop_back();
        second.allowed.pop_back(); // no getppid any more
        second.allowed.push_back({"openat"});
        if (!install_filter(first) || !install_filter(second))
            return 99;
        return raw_open() == -1 && syscall(SYS_getppid) == -1 ? 0 : 1;
    });
    CHECK(outcome == 0);
}

TEST_CASE("misspelt names are told") {
    const std::array<SyscallRule, 2> rules{SyscallRule{"openat"}, SyscallRule{"opnat"}};
    CHECK(unknown_syscalls(rules) == std::vector<std::string>{"opnat"});
}
