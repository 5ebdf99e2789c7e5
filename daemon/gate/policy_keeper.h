#pragma once
#include <cstdint>
#include <functional>
#include <mutex>
#include <sys/types.h>
#include <vector>

#include <picket/profile/effective.h>

#include "event_log.h"

namespace picket::daemon {

/// Holds the effective profile, sets the event log up as it says, and tells everybody when it changes. Thread-safe;
/// listeners are called on the thread that reloads, one reload at a time.
class PolicyKeeper {
  public:
    using Listener = std::function<void(const profile::PolicySnapshot&)>;
    PolicyKeeper(const sys::Root& root, EventLog& events, const Clock& clock);

    /// Before anything else reloads.
    void on_change(Listener listener) { listeners_.push_back(std::move(listener)); }
    /// Who changed the local settings, where that is known.
    struct Caller {
        std::int64_t uid = -1;
        pid_t pid = 0;
    };
    /// Reads the files again; records changes, refusals and whatever weakens protection as events.
    void reload() { reload(Caller()); }
    void reload(const Caller& caller);
    /// About once a second: where an exclusion has just expired, the profile without it.
    void on_tick();
    profile::EffectiveProfile profile() const;
    profile::PolicySnapshot policy() const;

  private:
    void put_to_use(const profile::Policy& policy);
    void record(EventType type, const std::string& reason, const std::string& message);
    void record_change(const profile::EffectiveProfile& before, const profile::EffectiveProfile& after,
                       const Caller& caller);
    void record_expired(const profile::EffectiveProfile& before, const profile::EffectiveProfile& after);
    WallTime now() const;
    void remember();

    const sys::Root& root_;
    EventLog& events_;
    const Clock& clock_;
    std::mutex reload_mutex_;
    mutable std::mutex mutex_;
    profile::EffectiveProfile profile_;
    std::string last_problem_;
    std::vector<Listener> listeners_;
};

} // namespace picket::daemon
