#pragma once
#include <optional>
#include <string>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>
#include <picket/scan/engine_protocol.h>

namespace picket::engine {

/// The control connection to the gate: made again whenever it is lost, given up after a minute without one. One thread.
class GateLink {
  public:
    explicit GateLink(std::string socket);

    enum class Change { none, connected, lost };
    /// Connects where it is time to.
    Change turn();
    bool connected() const { return static_cast<bool>(fd_); }
    int fd() const { return fd_.get(); }
    /// The next command, or nothing. What is no command costs the connection.
    std::optional<scan::EngineCommand> receive();
    void send(const scan::EngineStatus& status);
    /// Nobody has listened for so long that the service manager should look at it.
    bool hopeless() const;
    int next_turn_ms() const;

  private:
    Result<UniqueFd> greet() const;

    std::string socket_;
    UniqueFd fd_;
    bool was_lost_ = false;
    std::int64_t next_attempt_ms_ = 0;
    std::int64_t alone_since_ms_ = 0;
};

} // namespace picket::engine
