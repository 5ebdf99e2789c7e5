#include <cerrno>
#include <cstdio>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/model/paths.h>
#include <picket/sys/program_arguments.h>
#include <picket/sys/start.h>

#include "instance.h"
#include "supervisor.h"

using namespace picket;

namespace {

constexpr Milliseconds kTurn{10'000};
constexpr Milliseconds kStopWait{60'000};
constexpr const char* kUsage = "usage: picket-supervisor [--background] [--libexec DIR] [--sbin DIR]\n"
                               "       picket-supervisor --stop\n"
                               "Starts Picket's services and keeps them running on a host without a service manager.\n";

struct Arguments {
    bool background = false;
    bool stop = false;
    supervisor::ProgramPaths programs;
};

std::optional<Arguments> parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        const bool has_value = i + 1 < argc && argv[i + 1][0] == '/';
        if (name == "--background")
            arguments.background = true;
        else if (name == "--stop")
            arguments.stop = true;
        else if (name == "--libexec" && has_value)
            arguments.programs.libexec = argv[++i];
        else if (name == "--sbin" && has_value)
            arguments.programs.sbin = argv[++i];
        else
            return std::nullopt;
    }
    return arguments;
}

void say(const std::string& line) {
    fmt::print(stderr, "{} picket-supervisor: {}\n", to_rfc3339(SystemClock().wall()), line);
}

Result<void> make_directory(const char* path) {
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return Error::from_errno(errno, fmt::format("mkdir {}", path));
    return {};
}

Result<void> supervise(const Arguments& arguments) {
    const supervisor::InstancePaths paths;
    PICKET_TRY(make_directory(paths::kRunDirectory));
    PICKET_TRY(make_directory(paths::kLogDirectory));
    const UniqueFd lock = PICKET_TRY(supervisor::take_instance_lock(paths));
    UniqueFd ready_fd;
    if (arguments.background)
        ready_fd = std::move(PICKET_TRY(supervisor::continue_in_background(paths)).ready_fd);
    PICKET_TRY(supervisor::write_pid_file(paths, getpid()));
    const SystemClock clock;
    {
        auto supervisor =
            PICKET_TRY(supervisor::Supervisor::open(supervisor::standard_children(arguments.programs), clock, {}, say));
        while (supervisor.turn(ready_fd ? Milliseconds(100) : kTurn)) {
            const char success = 0;
            if (ready_fd && supervisor.settled() && write(ready_fd.get(), &success, 1) == 1)
                ready_fd.reset();
        }
    }
    unlink(paths.pid_file.c_str());
    say("stopped");
    return {};
}

int stop_other() {
    const auto stopped = supervisor::stop_running_instance({}, kStopWait);
    if (!stopped)
        say(stopped.error().message());
    else
        fmt::print("{}\n", *stopped ? "stopped" : "was not running");
    return stopped ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    sys::start_clean();
    if (const auto answered = sys::answer_version_or_help(argc, argv, "picket-supervisor", kUsage))
        return *answered;
    const auto arguments = parse(argc, argv);
    if (!arguments) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    if (geteuid() != 0) {
        say("must run as root");
        return 3;
    }
    umask(022);
    if (arguments->stop)
        return stop_other();
    if (const auto done = supervise(*arguments); !done) {
        say(done.error().message());
        return 1;
    }
    return 0;
}
