#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/unique_fd.h>
#include <picket/scan/engine_protocol.h>

namespace picket::engine::testing {

/// The other end of the protocol, driven by hand: takes connections, keeps what came, sends what a test says. Every
/// wait has an end.
class FakeGate {
  public:
    explicit FakeGate(const std::string& socket_path);

    struct Connection {
        UniqueFd fd;
        std::optional<scan::EngineHello> hello;
        std::vector<scan::ScanReply> replies;
        std::vector<scan::EngineStatus> statuses;
        bool closed = false;
        bool is_worker() const { return hello && hello->role == scan::ConnectionRole::worker && !closed; }
        bool is_control() const { return hello && hello->role == scan::ConnectionRole::control && !closed; }
    };

    /// Takes what comes until the condition holds. False where it does not within `seconds`.
    bool wait_until(const std::function<bool()>& condition, int seconds = 60);
    Connection* control();
    std::vector<Connection*> workers(const std::string& generation = "");
    /// Some worker, waiting for the first.
    Connection& worker();
    /// The newest status, waiting for the first.
    std::optional<scan::EngineStatus> last_status();
    bool wait_for_workers(std::size_t count, const std::string& generation = "");
    bool wait_for_state(scan::LoadState state, const std::string& generation = "");

    void command(scan::EngineCommandKind kind, std::uint32_t value = 0, std::uint32_t sequence = 0);
    /// The status that answers `sequence`.
    std::optional<scan::EngineStatus> answer_to(std::uint32_t sequence);

    /// Sends a request to this worker; its reply, or nothing where it ended instead.
    std::uint64_t request(Connection& worker, int fd, std::uint32_t time_limit_ms = 60'000, std::uint32_t flags = 1);
    std::optional<scan::ScanReply> reply_to(Connection& worker, std::uint64_t id);
    /// By any worker that takes it.
    std::optional<scan::ScanReply> scan(const std::string& path, std::uint32_t time_limit_ms = 60'000);
    std::optional<scan::ScanReply> scan_content(const std::string& content, std::uint32_t time_limit_ms = 60'000);

    /// Closes everything, also the listening socket.
    void vanish();

  private:
    void pump(int timeout_ms);
    void take(Connection& connection);

    UniqueFd listening_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::uint64_t next_id_ = 1;
};

} // namespace picket::engine::testing
