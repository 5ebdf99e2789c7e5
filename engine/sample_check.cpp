#include "sample_check.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/sandbox/privileges.h>

#include "scratch.h"
#include "worker.h"

namespace picket::engine {
namespace {

constexpr std::string_view kScratchName = "check";
constexpr int kWrongAnswer = 1;
constexpr useconds_t kPollUs = 5'000;

/// Shared with the child, which may have crashed while it wrote: read with care.
struct Page {
    char sample[128];
    char message[256];
};

template <std::size_t N>
void put(char (&field)[N], const std::string& text) {
    const std::size_t length = std::min(text.size(), N - 1);
    std::memcpy(field, text.data(), length);
    field[length] = '\0';
}

template <std::size_t N>
std::string get(const char (&field)[N]) {
    return escape_for_display({field, strnlen(field, N)});
}

struct Child {
    engine_core::Engine& engine;
    const std::vector<engine_core::TrustedFile>& own_files;
    int scratch;
    const std::string& scratch_path;
    const MemoryUsage& usage;
    Page& page;

    [[noreturn]] void run(pid_t parent) const {
        auto done = sandbox::die_with_parent(parent);
        if (done)
            done = engine.use_temporary_directory(scratch_path + "/" + std::string(kScratchName));
        if (done) {
            const auto confined = confine_worker(scratch, usage);
            done = confined ? Result<void>() : Result<void>(confined.error());
        }
        if (done)
            done = engine_core::check_samples(engine, own_files,
                                              [this](const std::string& sample) { put(page.sample, sample); });
        if (!done)
            put(page.message, done.error().message());
        _exit(done ? 0 : kWrongAnswer);
    }
};

/// The child's wait status; nothing where its time is over, and it is killed then.
std::optional<int> wait_for(pid_t child, Milliseconds time_limit) {
    const std::int64_t deadline = monotonic_ms() + time_limit.count();
    while (true) {
        int status = 0;
        const pid_t ended = waitpid(child, &status, WNOHANG | WUNTRACED);
        if (ended == child && !WIFSTOPPED(status))
            return status;
        // waitpid with a timeout does not exist; this is a second of polling per reload.
        if ((ended == child) || monotonic_ms() > deadline) {
            ::kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return std::nullopt;
        }
        usleep(kPollUs);
    }
}

Result<void> verdict_on(std::optional<int> status, const Page& page) {
    if (!status)
        return Error(ErrorCode::corrupt, fmt::format("hung on the sample '{}'", get(page.sample)));
    if (WIFSIGNALED(*status))
        return Error(ErrorCode::corrupt,
                     fmt::format("crashed on the sample '{}' (signal {})", get(page.sample), WTERMSIG(*status)));
    if (WEXITSTATUS(*status) == kWrongAnswer && page.message[0] != '\0')
        return Error(ErrorCode::corrupt, get(page.message));
    if (WEXITSTATUS(*status) != 0)
        return Error(ErrorCode::corrupt, fmt::format("ended on the sample '{}'", get(page.sample)));
    return {};
}

} // namespace

Result<void> check_in_child(engine_core::Engine& engine, const std::vector<engine_core::TrustedFile>& own_files,
                            int scratch, const std::string& scratch_path, const MemoryUsage& usage,
                            Milliseconds time_limit) {
    const UniqueFd own_scratch = PICKET_TRY(make_directory(scratch, std::string(kScratchName)));
    const ScopeExit clean_up([&] { (void)remove_directory(scratch, std::string(kScratchName)).has_value(); });
    void* const memory = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return Error::from_errno(errno, "making a shared page");
    const ScopeExit unmap([&] { munmap(memory, sizeof(Page)); });
    Page& page = *static_cast<Page*>(memory);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0)
        Child{engine, own_files, own_scratch.get(), scratch_path, usage, page}.run(parent);
    if (child < 0)
        return Error::from_errno(errno, "making a process that checks the definitions");
    return verdict_on(wait_for(child, time_limit), page);
}

} // namespace picket::engine
