#pragma once
#include <memory>
#include <string>

#include <picket/base/clock.h>
#include <picket/base/unique_fd.h>

namespace picket::host {

/// How far the attempt to use a permission mark came, in this order.
enum class ProbeStage : int {
    start,      ///< the helper process could not be started
    init,       ///< fanotify_init with FAN_CLASS_CONTENT
    namespace_, ///< a private mount namespace
    mount,      ///< a tmpfs in it
    mark,       ///< fanotify_mark with FAN_OPEN_PERM on that tmpfs
    event,      ///< the open arrives as an event
    deny,       ///< an open that is denied fails
    allow,      ///< an open that is allowed succeeds
    works,
};

struct ProbeReport {
    ProbeStage reached = ProbeStage::start; ///< the stage that failed, or `works`
    int error = 0;                          ///< errno of it; ETIMEDOUT where the helper hung and was killed
};

/// Tries what the gate needs, really: a helper process makes a mount namespace of its own, mounts an empty tmpfs in it,
/// marks that one mount, and answers two opens of a third process, one with deny, one with allow. No other file system
/// is marked or touched; mount, namespace and marks end with the helper. It starts at once and runs beside the caller,
/// who asks for the result later; the helper is killed when `timeout` has passed, and when this object goes.
class FanotifyProbe {
  public:
    explicit FanotifyProbe(Milliseconds timeout = Milliseconds(3'000));
    ~FanotifyProbe();
    FanotifyProbe(const FanotifyProbe&) = delete;
    FanotifyProbe& operator=(const FanotifyProbe&) = delete;

    /// Waits for the helper. The same answer at every call.
    const ProbeReport& report();

  private:
    void end_helper();

    MonotonicTime deadline_;
    UniqueFd results_;
    int helper_ = -1;
    bool finished_ = false;
    ProbeReport report_;
};

} // namespace picket::host
