#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <picket/sys/process.h>
#include <picket/sys/start.h>

using namespace picket;
using namespace picket::sys;

namespace {

/// In a process of its own: what start_clean() changes is the whole process's.
bool holds_in_child(const std::function<bool()>& what) {
    const pid_t pid = fork();
    if (pid == 0)
        _exit(what() ? 0 : 1);
    int status = -1;
    return waitpid(pid, &status, 0) == pid && status == 0;
}

bool is_set(const char* name) {
    return std::getenv(name) != nullptr;
}

} // namespace

TEST_CASE("start_clean leaves nothing in the environment that a library acts on") {
    CHECK(holds_in_child([] {
        for (const char* name : {"OPENSSL_CONF", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "PATH", "IFS", "HOME", "TERM"})
            setenv(name, "/attacker", 1);
        start_clean({"HOME"});
        return is_set("HOME") && is_set("TERM") && !is_set("OPENSSL_CONF") && !is_set("TMPDIR") && !is_set("TZ") &&
               !is_set("LD_LIBRARY_PATH") && !is_set("PATH") && !is_set("IFS");
    }));
}

TEST_CASE("start_clean opens closed standard descriptors, so that no file gets one of their numbers") {
    CHECK(holds_in_child([] {
        for (int fd = 0; fd <= 2; ++fd)
            close(fd);
        start_clean();
        const int next = open("/", O_RDONLY | O_DIRECTORY);
        return next > 2 && write(2, "x", 1) == 1;
    }));
}

TEST_CASE("programs run where SIGCHLD was ignored and files were limited to nothing") {
    CHECK(holds_in_child([] {
        std::signal(SIGCHLD, SIG_IGN);
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
        rlimit limit{};
        getrlimit(RLIMIT_FSIZE, &limit);
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_FSIZE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = 20;
        setrlimit(RLIMIT_NOFILE, &limit);
        start_clean();
        getrlimit(RLIMIT_FSIZE, &limit);
        const bool may_write = limit.rlim_cur == limit.rlim_max;
        getrlimit(RLIMIT_NOFILE, &limit);
        const auto outcome = run({"/bin/sh", "-c", "exit 7"});
        return may_write && limit.rlim_cur >= 1'024 && outcome && outcome->exit_status == 7;
    }));
}
