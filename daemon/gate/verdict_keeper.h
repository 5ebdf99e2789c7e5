#pragma once
#include <mutex>
#include <string>
#include <thread>

#include <picket/gate/verdict_file.h>
#include <picket/store/store.h>

#include "gate_loop.h"
#include "policy_keeper.h"

namespace picket::daemon {

/// Carries what is known to be clean over a restart and a reboot, in /var/lib/picket/cache/verdicts. Written once, when
/// the daemon ends in order; read once, at the next start, and removed before it is believed. state.db has its digest,
/// so that an older one put in its place is worth nothing. Whatever is in doubt is dropped, as a whole or with its file
/// system; the host is then slow for its first opens and no less protected.
class VerdictKeeper {
  public:
    struct Ports {
        GateLoop& gate;
        store::Store& store;
        const PolicyKeeper& policy;
        const sys::Root& root;
        const Clock& clock;
    };
    explicit VerdictKeeper(Ports ports) : ports_(ports) {}
    ~VerdictKeeper() { join(); }
    VerdictKeeper(const VerdictKeeper&) = delete;
    VerdictKeeper& operator=(const VerdictKeeper&) = delete;

    /// Looks at the file systems and hands what still counts to the gate; on a thread of its own, for a disk may hang.
    void start();
    /// After the gate has stopped.
    void save();

    struct State {
        std::size_t restored = 0; ///< verdicts handed to the gate at the start
        std::string why_none;     ///< where there were some, and none counts
    };
    State state() const;

  private:
    void run();
    Result<gate::VerdictFile> take_file();
    void join();

    Ports ports_;
    std::thread thread_;
    mutable std::mutex mutex_;
    State state_;
    std::vector<watch::FilesystemIdentity> filesystems_; ///< as they were at the start
};

} // namespace picket::daemon
