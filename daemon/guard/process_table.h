#pragma once
#include <cstdint>
#include <sys/types.h>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::guard {

/// One process, held so that a later one with the same number is never meant: by a pidfd (5.3), else by its start time.
struct Target {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0; ///< 0 where /proc does not show it; then there is a pidfd
    UniqueFd pidfd;
};

/// Processes seen through a descriptor on /proc that is held from the start. Reading /proc/PID/… opens files, but of
/// procfs, which the gate never marks: no open of the guard ever waits for a gate. One thread, no allocation.
class ProcessTable {
  public:
    static Result<ProcessTable> open(const char* proc = "/proc");

    /// not_found where the process is gone.
    Result<Target> hold(pid_t pid) const;
    /// The process at the other end of a connected socket; exact from 6.5 on (SO_PEERPIDFD).
    Result<Target> hold_peer(int socket, pid_t pid) const;
    /// SIGKILL; not_found where it is gone or its number means another process now.
    Result<void> kill(const Target& target) const;
    /// True where real, effective, saved and file-system uid are all `uid`. It reads /proc/PID/status: the owner of
    /// /proc/PID is root for a process that is undumpable, as the engine's workers are.
    bool runs_only_as(pid_t pid, uid_t uid) const;
    Result<std::uint64_t> start_ticks(pid_t pid) const;

  private:
    explicit ProcessTable(UniqueFd proc) : proc_(std::move(proc)) {}
    Result<std::size_t> read(pid_t pid, const char* file, char* into, std::size_t size) const;
    UniqueFd proc_;
};

} // namespace picket::guard
