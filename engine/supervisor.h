#pragma once
#include <memory>

#include <picket/base/unique_fd.h>

#include "gate_link.h"
#include "loader.h"
#include "options.h"

namespace picket::engine {

/// The top of the process tree: talks to the gate and the service manager, starts and watches zygotes. It loads and
/// parses nothing. One thread.
class Supervisor {
  public:
    Supervisor(const Options& options, UniqueFd temporary_directory);
    /// Until SIGTERM, or until the gate stays away. The program's exit status.
    int run();

  private:
    Result<void> prepare();
    void step();
    void wait();
    void take_signals();
    void turn_link();
    void obey(const scan::EngineCommand& command);
    void report();
    void answer(std::uint32_t sequence);
    scan::EngineStatus message_for(const Loader::Status& status, std::uint32_t sequence) const;
    void tell_service_manager(const Loader::Status& status);
    int shut_down(int exit_status);

    const Options options_;
    UniqueFd temporary_directory_;
    UniqueFd signals_;
    GateLink link_;
    Loader loader_;
    Loader::Status reported_;
    std::vector<std::uint32_t> pending_reloads_;
    bool told_ready_ = false;
    std::int64_t next_sign_of_life_ms_ = 0;
    bool ending_ = false;
};

} // namespace picket::engine
