#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>

/// Runs a function on hostile input in a child process that has nothing: as root an unused uid (another one each time,
/// never nobody), no groups, an empty root directory that is already removed; for everybody no capabilities,
/// no_new_privs, resource limits, a system-call filter, and no descriptor but those named and a pipe to the parent.
namespace picket::sandbox {

struct ConfinedLimits {
    Milliseconds wall_clock{30'000}; ///< held by the parent, its own work on the frames included
    std::uint32_t cpu_seconds = 30;
    Bytes memory = mebibytes(256); ///< on top of what the parent has mapped; not with sanitizers, which map terabytes
    Bytes frame = kibibytes(256);  ///< largest payload
    Bytes output = gibibytes(2);   ///< all frames together
};

/// The child's end of the pipe.
class ConfinedOutput {
  public:
    explicit ConfinedOutput(int fd) : fd_(fd) {}
    /// Blocks until the parent has taken it. `type` is the caller's own, below kReservedTypes.
    Result<void> send(std::uint32_t type, ByteSpan payload);
    static constexpr std::uint32_t kReservedTypes = 0xffff'0000;

  private:
    int fd_;
};

using ConfinedWork = std::function<Result<void>(ConfinedOutput&)>;
/// In the parent, for each frame. The payload comes from a process that may be subverted: check it again. An Error
/// ends the child, and is what run_confined returns.
using FrameReceiver = std::function<Result<void>(std::uint32_t type, ByteSpan payload)>;

/// Success only if `work` returned success and every frame was received. The Error of `work` comes back with its code
/// and its text escaped and cut. A child that crashed, was killed by its filter or broke the framing is corrupt; one
/// that passed a limit is exhausted; a host that cannot confine (no filter, no capability to change the uid) is
/// unavailable, and `work` has not run. Nothing of the child is left when this returns. The child is a fork that goes
/// on in ordinary code: call it where no other thread holds a lock that `work` needs.
Result<void> run_confined(const std::vector<int>& descriptors, const ConfinedLimits& limits, const ConfinedWork& work,
                          const FrameReceiver& receiver);

} // namespace picket::sandbox
