#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <picket/gate/gate.h>
#include <picket/scan/engine_protocol.h>

namespace picket::daemon {

/// What health says of the engine.
struct EngineState {
    enum class Status { absent, loading, ready, failed };
    Status status = Status::absent;
    bool reload_failed = false;
    std::string message;
    std::string definitions;
    std::string engine_version;
    std::uint64_t signatures = 0;
    struct Sandbox {
        bool seccomp = false;
        std::uint32_t landlock_abi = 0; ///< 0 = not in force
    };
    std::optional<Sandbox> sandbox; ///< of the newest worker, as it says; nothing before there was one
    std::uint64_t workers = 0;
    std::uint64_t workers_killed = 0;
    std::uint64_t workers_crashed = 0;
};

/// The gate's end of /run/picket/engine.sock: accepts the engine's connections, checks who they are, speaks the
/// protocol, tells the Gate. Runs on the gate's loop; never blocks, opens nothing.
class EngineLink final : public gate::EnginePort {
  public:
    /// `watch` (un)registers a descriptor with the loop.
    using Watch = std::function<void(int fd, bool on)>;
    EngineLink(UniqueFd listening, uid_t engine_uid, const Clock& clock, Watch watch);

    void attach(gate::Gate& gate) { gate_ = &gate; }
    int listening_fd() const { return listening_.get(); }
    void on_listening_readable();
    /// True where the descriptor is one of ours.
    bool on_readable(int fd);
    /// Pings, probes, silence: at least twice a second.
    void on_tick();

    void set_wanted_workers(unsigned workers);
    /// Whatever is wanted: at least so many.
    void set_least_workers(unsigned workers);
    void request_reload();
    /// Has the engine try what `candidate` names; `done` is told which definitions serve then, and why where these are
    /// others. Called once, also where the engine goes (then `answered` is false).
    using TrialDone = std::function<void(const std::string& definitions, const std::string& message, bool answered)>;
    void try_candidate(TrialDone done);

    bool submit(gate::WorkerId worker, const scan::ScanRequest& request, int file) override;
    void kill_worker(gate::WorkerId worker) override;

    const EngineState& state() const { return state_; }
    /// A supervisor that the guard should end, or 0.
    pid_t stuck_engine() const;

  private:
    struct Connection {
        ipc::FileSocket fd;
        pid_t peer = 0;
        bool greeted = false;
        scan::ConnectionRole role = scan::ConnectionRole::control;
        pid_t worker_pid = 0;
        MonotonicTime since{};
    };
    void close(int fd);
    unsigned workers_to_ask_for() const;
    bool greet(Connection& connection, const std::string& content);
    bool on_status(const std::string& content);
    bool on_reply(int fd, const std::string& content);
    bool command(scan::EngineCommandKind kind, std::uint32_t value = 0);
    void end_trial(const std::string& message, bool answered);

    static constexpr std::size_t kMaximumConnections = 160; ///< 64 workers, twice over while definitions change
    UniqueFd listening_;
    const uid_t engine_uid_;
    const Clock& clock_;
    Watch watch_;
    gate::Gate* gate_ = nullptr;
    std::map<int, Connection> connections_;
    int control_ = -1;
    EngineState state_;
    unsigned wanted_workers_ = 0;
    unsigned least_workers_ = 0;
    std::uint32_t sequence_ = 0;
    TrialDone trial_done_;
    std::uint32_t trial_sequence_ = 0;
    MonotonicTime last_sent_{};
    MonotonicTime unanswered_since_{}; ///< the first command after which nothing was heard
    MonotonicTime silent_since_{};
};

} // namespace picket::daemon
