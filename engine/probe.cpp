#include "probe.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/data/json.h>

#include "confinement.h"
#include "probe_attempts.h"
#include "scratch.h"

namespace picket::engine {
namespace {

constexpr int kNotConfined = 255;

struct LayerSet {
    const char* name;
    WorkerLayers layers;
};
/// "user": what an unprivileged user with no_new_privs may not do anyway.
constexpr std::array<LayerSet, 4> kLayerSets{{{"all", {true, true, true}},
                                              {"seccomp", {false, false, true}},
                                              {"landlock", {false, true, false}},
                                              {"user", {false, false, false}}}};

struct Probe {
    int scratch = -1;
    MemoryUsage usage;

    std::string run(const Attempt& attempt, const WorkerLayers& layers) const {
        const pid_t child = fork();
        if (child == 0) {
            std::signal(SIGSYS, SIG_DFL);
            if (fchdir(scratch) != 0 || !confine_worker(scratch, usage, layers))
                _exit(kNotConfined);
            errno = 0;
            _exit(attempt.succeeds() ? 0 : (errno != 0 ? errno : EPERM));
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child)
            return "not tried";
        if (WIFSIGNALED(status))
            return WTERMSIG(status) == SIGSYS ? "killed" : fmt::format("signal {}", WTERMSIG(status));
        return word_for(WEXITSTATUS(status));
    }

    static std::string word_for(int exit_status) {
        if (exit_status == 0)
            return "succeeded";
        if (exit_status == kNotConfined)
            return "not tried";
        return std::strerror(exit_status);
    }
};

/// What the kernel really put into force, from inside.
data::Json layers_in_force(const Probe& probe) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        return nullptr;
    const UniqueFd read_end(ends[0]), write_end(ends[1]);
    const pid_t child = fork();
    if (child == 0) {
        const auto confinement = confine_worker(probe.scratch, probe.usage);
        const std::array<int, 2> answer{confinement && confinement->seccomp ? 1 : 0,
                                        confinement ? confinement->landlock_abi : 0};
        _exit(write(write_end.get(), answer.data(), sizeof answer) == sizeof answer ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    std::array<int, 2> answer{};
    if (status != 0 || read(read_end.get(), answer.data(), sizeof answer) != sizeof answer)
        return nullptr;
    return {{"seccomp", answer[0] == 1}, {"landlock_abi", answer[1]}};
}

} // namespace

int probe_sandbox(int temporary_directory) {
    const UniqueFd statm(open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
    const auto usage = read_memory_usage(statm.get());
    const std::string name = fmt::format("probe{}", getpid());
    const auto scratch = make_directory(temporary_directory, name);
    if (!usage || !scratch) {
        fmt::print(stderr, "picket-engine: {}\n", !usage ? usage.error().message() : scratch.error().message());
        return 1;
    }
    const Probe probe{scratch->get(), *usage};
    data::Json attempts = data::Json::array();
    bool contained = true;
    for (const Attempt& attempt : breakout_attempts()) {
        data::Json entry{{"name", attempt.name}};
        for (const LayerSet& set : kLayerSets)
            entry[set.name] = probe.run(attempt, set.layers);
        const bool held =
            data::string_or(entry, "all", "") != "succeeded" && data::string_or(entry, "all", "") != "not tried";
        entry["contained"] = held;
        contained = contained && held;
        attempts.push_back(std::move(entry));
    }
    const data::Json report{
        {"schema", 1}, {"contained", contained}, {"layers", layers_in_force(probe)}, {"attempts", std::move(attempts)}};
    (void)remove_directory(temporary_directory, name).has_value();
    fmt::print("{}\n", data::to_pretty_text(report));
    return contained ? 0 : 1;
}

} // namespace picket::engine
