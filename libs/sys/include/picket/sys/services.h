#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/sys/file.h>

namespace picket::sys {

struct UnitStatus {
    std::string unit;
    bool known = false;   ///< the service manager has such a unit
    bool enabled = false; ///< starts at boot
    bool active = false;
    std::string detail; ///< "active/running", "failed/failed", "image"
};

/// Starts, stops and enables units. stop() always ends: past `timeout` what is left is killed. One thread.
class ServiceManager {
  public:
    virtual ~ServiceManager() = default;
    virtual std::string_view name() const = 0; ///< systemd, supervisor, image
    virtual Result<std::vector<UnitStatus>> status(const std::vector<std::string>& units) = 0;
    virtual Result<void> enable(const std::vector<std::string>& units) = 0;
    virtual Result<void> disable(const std::vector<std::string>& units) = 0;
    virtual Result<void> start(const std::vector<std::string>& units, Milliseconds timeout) = 0;
    virtual Result<void> stop(const std::vector<std::string>& units, Milliseconds timeout) = 0;
    /// From when the unit was told to stop until it was at work again, the last time. Nothing where that is not known.
    virtual std::optional<Milliseconds> last_restart(const std::string& /*unit*/) { return std::nullopt; }
};

/// What runs the processes where the host has no service manager.
struct Supervisor {
    std::vector<std::string> start_command; ///< returns when everything is up
    std::vector<std::string> stop_command;  ///< returns when everything has ended
    std::string lock_file;                  ///< flocked while it runs
    /// The programs it and its children run: what is left of them after a stop is killed.
    std::vector<std::string> programs;
};

/// systemd where it is the running host's init; the supervisor on a host without it; an image only gets links.
std::unique_ptr<ServiceManager> service_manager_of(const Root& root, const Supervisor& supervisor);

} // namespace picket::sys
