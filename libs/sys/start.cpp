#include <picket/sys/start.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace picket::sys {
namespace {

constexpr std::array<const char*, 3> kHarmless{"TERM", "COLUMNS", "NO_COLOR"};
// More than we need; so few that a program which looks at each possible descriptor (rpm's scripts) does not take
// minutes.
constexpr rlim_t kFewestFiles = 1'024;
constexpr rlim_t kMostFiles = 65'536;

void clean_environment(std::initializer_list<const char*> kept) {
    std::vector<std::pair<std::string, std::string>> stay;
    const auto keep = [&stay](const char* name) {
        if (const char* value = std::getenv(name))
            stay.emplace_back(name, value);
    };
    std::for_each(kHarmless.begin(), kHarmless.end(), keep);
    std::for_each(kept.begin(), kept.end(), keep);
    clearenv();
    for (const auto& [name, value] : stay)
        setenv(name.c_str(), value.c_str(), 1);
}

void open_standard_descriptors() {
    for (int fd = 0; fd <= 2; ++fd) {
        if (fcntl(fd, F_GETFD) != -1)
            continue;
        // The lowest free number is this one. Where there is no /dev/null: a folder, which nothing can be written to.
        if (open("/dev/null", O_RDWR) < 0)
            (void)open("/", O_RDONLY | O_DIRECTORY);
    }
}

void raise_limits() {
    rlimit limit{};
    for (const auto resource : {RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_AS, RLIMIT_DATA}) {
        if (getrlimit(resource, &limit) != 0)
            continue;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(resource, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        const rlim_t wanted = std::clamp(limit.rlim_cur, kFewestFiles, kMostFiles);
        const rlimit raised{wanted, std::max(wanted, limit.rlim_max)};
        limit.rlim_cur = std::min(wanted, limit.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &raised) != 0) // the hard limit is root's to raise
            (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    limit = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &limit);
}

void reset_signals() {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    std::signal(SIGCHLD, SIG_DFL);
    alarm(0);
}

} // namespace

void start_clean(std::initializer_list<const char*> kept) {
    clean_environment(kept);
    open_standard_descriptors();
    raise_limits();
    reset_signals();
}

} // namespace picket::sys
