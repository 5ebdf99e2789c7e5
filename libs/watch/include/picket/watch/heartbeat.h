#pragma once
#include <cstdint>
#include <type_traits>

/// What the gate sends the guard over /run/picket/guard.sock, once each time its loop has turned (at least twice a
/// second) while no event is older than the deadline allows. A gate that is stuck is silent, and is killed.
namespace picket::watch {

inline constexpr std::uint32_t kHeartbeatMagic = 0x54414542; // "BEAT"
inline constexpr int kHeartbeatTimeoutMs = 3'000;

struct Heartbeat {
    std::uint32_t magic = kHeartbeatMagic;
    std::uint32_t version = 1;
    /// A process of the engine's uid that has not answered for too long, to be killed by the guard; 0 = none. The guard
    /// looks at the uid that owns /proc/PID before it does so.
    std::uint32_t kill_engine_pid = 0;
    std::uint32_t reserved = 0;
};
static_assert(std::is_trivially_copyable_v<Heartbeat> && sizeof(Heartbeat) == 16);

} // namespace picket::watch
