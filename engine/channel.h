#pragma once
#include <cerrno>
#include <cstdint>
#include <optional>
#include <vector>

#include <picket/base/unique_fd.h>
#include <picket/ipc/record.h>
#include <picket/scan/engine_protocol.h>

/// Fixed-size records over SOCK_SEQPACKET, and what supervisor and zygote say to each other. The zygote has parsed
/// definitions: the supervisor checks what it says as the gate checks the engine.
namespace picket::engine {

enum class ZygoteCommandKind : std::uint32_t {
    serve = 1,       ///< value = number of workers to hold; 0 = none, stay loaded
    kill_worker = 2, ///< value = pid; ignored where it is no worker of this zygote
    stop = 3,        ///< let the workers finish, then end
};
struct ZygoteCommand {
    ZygoteCommandKind kind = ZygoteCommandKind::serve;
    std::uint32_t value = 0;
};

enum class ZygoteEventKind : std::uint32_t {
    loaded = 1, ///< loaded, and its child answered the sample corpus rightly
    failed = 2, ///< message says why; the zygote ends
    alive = 3,  ///< at least once a second while it serves
};
struct ZygoteEvent {
    ZygoteEventKind kind = ZygoteEventKind::alive;
    std::uint32_t workers = 0;
    std::uint64_t workers_killed = 0;
    std::uint64_t workers_crashed = 0;
    std::uint64_t signatures = 0;
    std::uint64_t resident_bytes = 0;
    char message[128] = {};
};

inline bool is_valid(const ZygoteEvent& event) {
    return event.kind >= ZygoteEventKind::loaded && event.kind <= ZygoteEventKind::alive && event.workers <= 1024 &&
           event.message[sizeof event.message - 1] == '\0';
}

using ipc::send_record;

template <typename Record>
struct Received {
    Record record{};
    std::vector<UniqueFd> descriptors;
};

enum class ChannelState { empty, closed, bad };

/// A record, or why there is none: nothing waits, the peer is gone, or what came is no such record.
template <typename Record>
std::optional<Received<Record>> receive_record(int fd, ChannelState& state) {
    auto message = ipc::receive_message(fd, Bytes{sizeof(Record)});
    if (!message) {
        if (message.error().errno_value() == EAGAIN)
            state = ChannelState::empty;
        else
            state = message.error().code() == ErrorCode::invalid_input ? ChannelState::bad : ChannelState::closed;
        return std::nullopt;
    }
    Received<Record> received;
    const auto record = ipc::record_of<Record>(message->content);
    if (!record) {
        state = ChannelState::bad;
        return std::nullopt;
    }
    received.record = *record;
    received.descriptors = std::move(message->descriptors);
    return received;
}

} // namespace picket::engine
