#pragma once
#include <condition_variable>
#include <mutex>
#include <thread>

#include "aftermath.h"
#include "policy_keeper.h"
#include "remedy_client.h"

namespace picket::daemon {

/// Destroys copies in the vault: by hand, and those that are older than the profile keeps. It looks for these ten
/// minutes after the start, when a clock that was wrong at boot has been set, then once an hour, and when the profile
/// changes. A thread of its own, because picket-remedy may take its time.
class VaultKeeper {
  public:
    struct Ports {
        const PolicyKeeper& policy;
        const RemedyClient& remedy;
        store::Store& store;
        Aftermath& aftermath;
        const Clock& clock;
    };
    explicit VaultKeeper(Ports ports) : ports_(ports) {}
    ~VaultKeeper() { stop(); }
    VaultKeeper(const VaultKeeper&) = delete;
    VaultKeeper& operator=(const VaultKeeper&) = delete;

    void start();
    void stop();
    /// Lets the thread look now. Any thread.
    void look_soon();

    /// Destroys one copy, given as quarantine.list shows it, and records that as `type`. Any thread.
    Result<void> destroy(const data::Json& item, EventType type) const;

  private:
    void run();
    void destroy_expired() const;

    Ports ports_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    bool look_ = false;
    std::thread thread_;
};

} // namespace picket::daemon
