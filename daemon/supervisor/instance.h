#pragma once
#include <string>
#include <sys/types.h>

#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::supervisor {

struct InstancePaths {
    std::string lock = "/run/picket/supervisor.lock";
    std::string pid_file = "/run/picket/supervisor.pid";
    std::string log = "/var/log/picket/supervisor.log";
};

/// Holds the lock until it is closed by all who inherited it. conflict where another supervisor runs.
Result<UniqueFd> take_instance_lock(const InstancePaths& paths);
Result<void> write_pid_file(const InstancePaths& paths, pid_t pid);

/// Forks. In the parent it waits until the child says so over `ready_fd` and exits with what it said (1 where it ended
/// without a word); it returns in the child alone: own session, standard input from /dev/null, outputs into the log.
struct Daemonised {
    UniqueFd ready_fd; ///< write one byte, the exit status of the parent
};
Result<Daemonised> continue_in_background(const InstancePaths& paths);

/// SIGTERM to the supervisor that holds the lock, then waits until the lock is free. False where none runs.
Result<bool> stop_running_instance(const InstancePaths& paths, Milliseconds at_most);

} // namespace picket::supervisor
