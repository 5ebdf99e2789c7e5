#include "gate_link.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

#include <picket/engine_core/engine.h>

#include "channel.h"
#include "worker.h"

namespace picket::engine {
namespace {

constexpr std::int64_t kAttemptEveryMs = 100;
constexpr std::int64_t kPatienceMs = 60'000;
constexpr int kConnectedTurnMs = 1'000;

} // namespace

GateLink::GateLink(std::string socket) : socket_(std::move(socket)), alone_since_ms_(monotonic_ms()) {}

Result<UniqueFd> GateLink::greet() const {
    UniqueFd fd = PICKET_TRY(ipc::connect_to(socket_));
    scan::EngineHello hello;
    hello.role = scan::ConnectionRole::control;
    hello.worker_pid = static_cast<std::uint32_t>(getpid());
    scan::set_field(hello.engine_version, engine_core::library_version());
    PICKET_TRY(send_record(fd.get(), hello));
    return fd;
}

GateLink::Change GateLink::turn() {
    if (was_lost_) {
        was_lost_ = false;
        return Change::lost;
    }
    if (fd_ || monotonic_ms() < next_attempt_ms_)
        return Change::none;
    next_attempt_ms_ = monotonic_ms() + kAttemptEveryMs;
    auto fd = greet();
    if (!fd)
        return Change::none;
    fd_ = std::move(*fd);
    return Change::connected;
}

std::optional<scan::EngineCommand> GateLink::receive() {
    if (!fd_)
        return std::nullopt;
    ChannelState state = ChannelState::empty;
    const auto received = receive_record<scan::EngineCommand>(fd_.get(), state);
    if (received && scan::is_valid(received->record))
        return received->record;
    if (received || state != ChannelState::empty) {
        fd_.reset();
        was_lost_ = true;
        alone_since_ms_ = monotonic_ms();
    }
    return std::nullopt;
}

void GateLink::send(const scan::EngineStatus& status) {
    // A gate that does not read its control connection misses a status; it asks again by ping.
    if (fd_)
        (void)send_record(fd_.get(), status).has_value();
}

bool GateLink::hopeless() const {
    return !fd_ && monotonic_ms() - alone_since_ms_ > kPatienceMs;
}

int GateLink::next_turn_ms() const {
    if (fd_)
        return kConnectedTurnMs;
    return static_cast<int>(std::clamp<std::int64_t>(next_attempt_ms_ - monotonic_ms(), 1, kAttemptEveryMs));
}

} // namespace picket::engine
