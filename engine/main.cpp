#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/engine_core/engine.h>
#include <picket/sandbox/privileges.h>

#include "confinement.h"
#include "options.h"
#include "probe.h"
#include "scratch.h"
#include "supervisor.h"

namespace {

using namespace picket;
using namespace picket::engine;

constexpr int kUsageError = 2;

/// The one thing that needs the starting user: a directory below /run that belongs to the engine's.
Result<void> prepare_temporary_directory(const std::string& path, const std::optional<sandbox::Identity>& owner) {
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return Error::from_errno(errno, fmt::format("making {}", path));
    const UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory)
        return Error::from_errno(errno, fmt::format("opening {}", path));
    if (owner && fchown(directory.get(), owner->uid, owner->gid) != 0)
        return Error::from_errno(errno, fmt::format("giving {} to uid {}", path, owner->uid));
    return {};
}

/// From here on nobody is root.
Result<void> become_engine(const Options& options) {
    umask(077);
    std::optional<sandbox::Identity> identity;
    if (geteuid() == 0) {
        auto found = sandbox::find_identity(options.user);
        if (!found)
            return found.error().with_context("--user names whom to become");
        if (found->uid == 0)
            return Error(ErrorCode::invalid_input, "--user: the engine does not run as root");
        identity = *found;
    }
    PICKET_TRY(prepare_temporary_directory(options.temporary_directory, identity));
    if (identity)
        PICKET_TRY(sandbox::become(*identity));
    return give_up_privileges();
}

int fail(const Error& error) {
    fmt::print(stderr, "picket-engine: {}\n", error.message());
    return 1;
}

int run(const Options& options) {
    if (const auto done = become_engine(options); !done)
        return fail(done.error());
    auto temporary_directory = open_directory(options.temporary_directory);
    if (!temporary_directory)
        return fail(temporary_directory.error());
    if (options.probe_sandbox)
        return probe_sandbox(temporary_directory->get());
    return Supervisor(options, std::move(*temporary_directory)).run();
}

} // namespace

int main(int count, char** arguments) {
    const auto options = parse_options(count, arguments);
    if (!options) {
        fmt::print(stderr, "picket-engine: {}\n", options.error().message());
        return kUsageError;
    }
    if (options->help) {
        fmt::print("{}", usage());
        return 0;
    }
    if (options->version) {
        fmt::print("picket-engine, libclamav {}\n", engine_core::library_version());
        return 0;
    }
    const int status = run(*options);
    std::fflush(nullptr);
    // The processes of this tree end without the library's own clean-up: nothing here outlives them.
    _exit(status);
}
