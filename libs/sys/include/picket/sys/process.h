#pragma once
#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>

namespace picket::sys {

struct RunOptions {
    Milliseconds timeout{60'000};                   ///< then SIGTERM, 5 s later SIGKILL to its process group
    const std::atomic<bool>* stop = nullptr;        ///< true: likewise, before that
    std::string input;                              ///< its standard input
    std::map<std::string, std::string> environment; ///< its whole environment; PATH and LC_ALL=C are added
    bool own_session = true;                        ///< setsid: a Ctrl-C on our terminal does not reach it
    Bytes output_limit = mebibytes(4);              ///< of each stream; what is over is dropped, not an error
    std::string chroot_directory;                   ///< "" = none
};

struct RunOutcome {
    int exit_status = 0; ///< of exit(); 128 + signal where a signal ended it
    bool timed_out = false;
    bool stopped = false; ///< as RunOptions::stop wanted
    std::string output;
    std::string error_output;
    bool ok() const { return exit_status == 0 && !timed_out && !stopped; }
};

/// Runs a program by absolute path or by name in the fixed path /usr/sbin:/usr/bin:/sbin:/bin; never through a shell.
/// No descriptor of ours but 0, 1, 2 is inherited. An Error only where it could not be started.
Result<RunOutcome> run(const std::vector<std::string>& arguments, const RunOptions& options = {});

/// What tells one process from a later one with the same number.
struct ProcessIdentity {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0; ///< field 22 of /proc/PID/stat
    auto operator<=>(const ProcessIdentity&) const = default;
};
Result<ProcessIdentity> process_identity(pid_t pid);
/// Short name of a process for messages ("clamonacc"), escaped for display; "?" where it is gone.
std::string process_name(pid_t pid);
/// Who logged in and became root since (sudo, su), escaped for display; the user that runs this where nobody logged in.
std::string login_user();

} // namespace picket::sys
