#pragma once
#include <picket/base/result.h>
#include <picket/sandbox/confined_child.h>

/// For code that talks to strangers over a network: libcurl, the resolver and what that loads.
namespace picket::sandbox {

/// From here on nothing is written by name, nothing executed, no other process touched. Layers that this kernel lacks
/// are left out. Capabilities, user and limits are the caller's business.
Result<void> restrict_to_network();

/// As run_confined, for work that needs a network: a child with an unused uid and no capability that may open sockets
/// and read what everybody may read, and that writes nothing but frames. Same errors; `limits.frame` and the others
/// hold as there.
Result<void> run_networked(const ConfinedLimits& limits, const ConfinedWork& work, const FrameReceiver& receiver);

} // namespace picket::sandbox
