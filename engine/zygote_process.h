#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "channel.h"
#include "zygote.h"

namespace picket::engine {

/// The supervisor's side of one zygote: its process, its channel, what it last said. When the object goes, the process
/// and its scratch directory are gone. One thread.
class ZygoteProcess {
  public:
    struct Setup {
        std::string generation;
        std::string directory;
        std::vector<std::string> files;
        std::string gate_socket;
        int temporary_directory = -1;
        std::string temporary_path;
        std::function<void()> close_in_child; ///< what belongs to the supervisor alone
    };
    static Result<std::unique_ptr<ZygoteProcess>> start(const Setup& setup);
    ~ZygoteProcess();
    ZygoteProcess(const ZygoteProcess&) = delete;
    ZygoteProcess& operator=(const ZygoteProcess&) = delete;

    enum class State { loading, loaded, failed, ended };
    /// Takes what it said and reaps it where it ended; then says how it is. `failed` and `ended` have a message().
    State turn();
    State state() const { return state_; }
    const std::string& generation() const { return generation_; }
    const std::string& message() const { return message_; }
    const ZygoteEvent& last_event() const { return last_event_; }
    std::int64_t since_start_ms() const;
    std::int64_t since_last_event_ms() const;

    void serve(unsigned workers) { send({ZygoteCommandKind::serve, workers}); }
    void kill_worker(std::uint32_t pid) { send({ZygoteCommandKind::kill_worker, pid}); }
    void stop() { send({ZygoteCommandKind::stop, 0}); }
    /// turn() says `failed` or `ended` with this reason from now on.
    void kill(const std::string& reason);

    int channel() const { return channel_.get(); }

  private:
    ZygoteProcess() = default;
    void send(ZygoteCommand command);
    void take_events();
    void reap();

    pid_t pid_ = 0;
    UniqueFd channel_;
    std::string generation_;
    std::string scratch_name_;
    int temporary_directory_ = -1;
    State state_ = State::loading;
    std::string message_;
    ZygoteEvent last_event_;
    std::int64_t started_ms_ = 0;
    std::int64_t last_event_ms_ = 0;
};

} // namespace picket::engine
