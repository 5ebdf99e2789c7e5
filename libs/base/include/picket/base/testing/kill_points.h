#pragma once
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <functional>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <picket/base/check.h>
#include <picket/base/unique_fd.h>

namespace picket::testing {

/// Tells, from inside the work, that something with this number was promised to its caller.
using Acknowledge = std::function<void(std::uint64_t)>;

/// One run of some work that was killed on its way.
struct KilledRun {
    bool possible = true;  ///< false: processes may not be traced here
    bool finished = false; ///< it came to its end before the kill
    std::size_t calls = 0; ///< system calls that were made
    std::vector<std::uint64_t> acknowledged;
};

namespace detail {

[[noreturn]] inline void run_traced(const std::function<void(const Acknowledge&)>& work, int report) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
        _exit(77);
    raise(SIGSTOP);
    work([report](std::uint64_t number) { PICKET_CHECK(write(report, &number, sizeof number) == sizeof number); });
    _exit(0);
}

/// Lets the child run to the entry of its system call number `kill_at`, and kills it there.
inline void drive(pid_t child, std::size_t kill_at, KilledRun& run) {
    int status = 0;
    bool entering = true;
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        if (WSTOPSIG(status) == SIGSTOP)
            ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
        else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            if (entering && run.calls == kill_at)
                kill(child, SIGKILL);
            else if (entering)
                ++run.calls;
            entering = !entering;
        }
        ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    }
    run.finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    run.possible = !(WIFEXITED(status) && WEXITSTATUS(status) == 77);
}

} // namespace detail

/// Runs `work` in a child and kills it with SIGKILL instead of its system call number `kill_at` (from 0).
inline KilledRun run_killed_at(std::size_t kill_at, const std::function<void(const Acknowledge&)>& work) {
    std::array<int, 2> ends{};
    PICKET_CHECK(pipe(ends.data()) == 0);
    UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const pid_t child = fork();
    PICKET_CHECK(child >= 0);
    if (child == 0)
        detail::run_traced(work, writing.get());
    writing.reset();
    KilledRun run;
    detail::drive(child, kill_at, run);
    std::uint64_t number = 0;
    while (read(reading.get(), &number, sizeof number) == sizeof number)
        run.acknowledged.push_back(number);
    return run;
}

/// Kills `work` at every `stride`-th system call, until a run comes to its end; `prepare` comes before and `check`
/// after each. Gives how many kills there were; 0 where processes may not be traced.
inline std::size_t kill_at_every_call(std::size_t stride, const std::function<void()>& prepare,
                                      const std::function<void(const Acknowledge&)>& work,
                                      const std::function<void(const KilledRun&)>& check) {
    for (std::size_t kills = 0;; ++kills) {
        prepare();
        const KilledRun run = run_killed_at(kills * stride, work);
        if (!run.possible)
            return 0;
        check(run);
        if (run.finished)
            return kills;
    }
}

} // namespace picket::testing
