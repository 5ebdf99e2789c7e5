#pragma once
#include <initializer_list>

#include <picket/base/result.h>

namespace picket::daemon {

/// Gives up every capability but `kept` (CAP_… numbers of linux/capability.h) for good: bounding set where the kernel
/// lets us, ambient set, then all three sets of this thread; sets no_new_privs. A capability that was not there is not
/// asked for. Call it before any thread is started.
Result<void> keep_only_capabilities(std::initializer_list<int> kept);

} // namespace picket::daemon
