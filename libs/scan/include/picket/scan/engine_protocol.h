#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <picket/model/verdict.h>

/// What the gate and the engine say to each other over /run/picket/engine.sock (SOCK_SEQPACKET). Every message is one
/// fixed-size record, so neither side parses anything. The gate trusts no field: each is checked by `is_valid`, a bad
/// record closes that connection.
///
/// Connections, all opened by the engine (uid picket-engine, checked by the gate through SO_PEERCRED):
///   control  one per engine process tree, made by the supervisor. First message: EngineHello{role=control}.
///            gate → engine: EngineCommand; engine → gate: EngineStatus (the answer to ping, and at each change).
///   worker   one per worker, made by the zygote just before it forks the worker, which then alone holds it. First
///            message: EngineHello{role=worker}. gate → worker: ScanRequest with exactly one descriptor
///            (SCM_RIGHTS, O_RDONLY; see kScanPutAway); worker → gate: one ScanReply for it. One request at a time. A
///            worker closes its end and exits when it has scanned its share; the gate sees EOF between requests and is
///            content. EOF during a request is "engine crashed on this file".
namespace picket::scan {

inline constexpr std::uint32_t kProtocolMagic = 0x54434b50; // "PKCT"
inline constexpr std::uint32_t kProtocolVersion = 3;

enum class ConnectionRole : std::uint32_t { control = 1, worker = 2 };

struct EngineHello {
    std::uint32_t magic = kProtocolMagic;
    std::uint32_t version = kProtocolVersion;
    ConnectionRole role = ConnectionRole::control;
    std::uint32_t worker_pid = 0;      ///< of the worker (role worker), else of the supervisor
    std::uint64_t signature_count = 0; ///< of the loaded generation; 0 on control
    char definitions[64] = {};         ///< name of the generation ("20261124T225651Z-ab12cd34"); empty on control
    char engine_version[32] = {};      ///< libclamav's
    /// What confines the worker (docs/engine.md): for health to tell, not to be relied on. 0 on control.
    std::uint32_t seccomp = 0;      ///< 1 = in force
    std::uint32_t landlock_abi = 0; ///< 0 = not in force
};

enum ScanFlags : std::uint32_t {
    kScanArchives = 1U << 0,
    kScanHeuristics = 1U << 1,
    kScanPotentiallyUnwanted = 1U << 2,
    kScanLowPriority = 1U << 3, ///< the worker reads when nobody else wants to
    kScanPutAway = 1U << 4,     ///< the descriptor is a socket in which the file lies (ipc::peek_descriptor())
    kScanFlagsEnd = 1U << 5,
};

struct ScanRequest {
    std::uint32_t magic = kProtocolMagic;
    std::uint32_t flags = kScanArchives;
    std::uint64_t id = 0;
    std::uint32_t time_limit_ms = 0; ///< the zygote kills the worker a second after it
    std::uint32_t reserved = 0;
};

struct ScanReply {
    std::uint32_t magic = kProtocolMagic;
    Verdict verdict = Verdict::engine_error;
    std::uint8_t reserved[3] = {};
    std::uint64_t id = 0;
    std::uint64_t scan_us = 0;
    char threat_name[128] = {}; ///< NUL-terminated printable ASCII
};

enum class EngineCommandKind : std::uint32_t {
    ping = 1,
    reload = 2,      ///< load what /var/lib/picket/definitions/current names now
    set_workers = 3, ///< value = number of workers, up to 64; 0 = as many as it takes by itself
    kill_worker = 4, ///< value = worker pid
    /// Load what /var/lib/picket/definitions/candidate names, and scan with it from now on where it passes the sample
    /// check; the answer says which definitions serve then. `current` may follow: a reload then finds it loaded.
    try_candidate = 5,
};
struct EngineCommand {
    std::uint32_t magic = kProtocolMagic;
    EngineCommandKind kind = EngineCommandKind::ping;
    std::uint32_t value = 0;
    std::uint32_t sequence = 0; ///< echoed in the EngineStatus that answers it
};

enum class LoadState : std::uint32_t {
    loading = 1,
    ready = 2,
    failed = 3,        ///< the first load failed: nothing can be scanned
    reload_failed = 4, ///< the new generation was refused; the old one goes on
};
struct EngineStatus {
    std::uint32_t magic = kProtocolMagic;
    LoadState state = LoadState::loading;
    std::uint32_t sequence = 0; ///< of the command answered, 0 = of its own accord
    std::uint32_t workers = 0;
    std::uint64_t workers_killed = 0; ///< for time or memory, since start
    std::uint64_t workers_crashed = 0;
    char definitions[64] = {}; ///< the generation in use
    char message[128] = {};    ///< printable ASCII: why a load failed
};

static_assert(std::is_trivially_copyable_v<EngineHello> && sizeof(EngineHello) == 128);
static_assert(std::is_trivially_copyable_v<ScanRequest> && sizeof(ScanRequest) == 24);
static_assert(std::is_trivially_copyable_v<ScanReply> && sizeof(ScanReply) == 152);
static_assert(std::is_trivially_copyable_v<EngineCommand> && sizeof(EngineCommand) == 16);
static_assert(std::is_trivially_copyable_v<EngineStatus> && sizeof(EngineStatus) == 224);

/// True where every field is in range and every text field is NUL-terminated printable ASCII.
bool is_valid(const EngineHello& hello);
bool is_valid(const ScanRequest& request);
bool is_valid(const ScanReply& reply);
bool is_valid(const EngineCommand& command);
bool is_valid(const EngineStatus& status);

/// Copies text into a fixed field: cut to fit, what is not printable ASCII becomes '?'.
template <std::size_t N>
void set_field(char (&field)[N], std::string_view text) {
    std::size_t i = 0;
    for (; i + 1 < N && i < text.size(); ++i)
        field[i] = text[i] > 0x20 && text[i] < 0x7f ? text[i] : (text[i] == ' ' ? ' ' : '?');
    for (; i < N; ++i)
        field[i] = '\0';
}

} // namespace picket::scan
