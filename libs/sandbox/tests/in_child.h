#pragma once
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

/// Runs a function in a forked child: its return value, or 128 + the signal that ended it.
template <typename Function>
int in_child(Function function) {
    const pid_t child = fork();
    if (child == 0) {
        // A sanitizer turns SIGSYS into a report; what is tested is the kernel's answer.
        std::signal(SIGSYS, SIG_DFL);
        _exit(function());
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
