#pragma once
#include <string>

#include <picket/base/result.h>

namespace picket::link {

/// From here on: `user` where we are root, no capability, no new privileges, nothing written by name, nothing
/// executed. Layers that this kernel lacks are left out.
Result<void> confine(const std::string& user);

} // namespace picket::link
