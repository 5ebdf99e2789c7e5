#pragma once
#include <map>
#include <mutex>
#include <string>

#include <picket/base/clock.h>
#include <picket/store/store.h>

namespace picket::daemon {

/// Contents (by SHA-256) that an administrator has restored: let through until the allowance ends, else the restored
/// file would be taken again at once. Kept in state.db, so a restart changes nothing. Thread-safe.
class Allowances {
  public:
    Allowances(store::Store& store, const Clock& clock);

    Result<void> add(const std::string& sha256, WallTime until);
    Result<void> remove(const std::string& sha256);
    bool contains(const std::string& sha256) const;
    bool any() const;

  private:
    Result<void> save();
    store::Store& store_;
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<std::string, WallTime> until_;
};

} // namespace picket::daemon
