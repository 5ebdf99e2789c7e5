#pragma once
#include <string>

namespace picket::engine_core {

/// What libclamav last complained about, and forgets it: its return codes say little ("Malformed database").
std::string take_last_complaint();

} // namespace picket::engine_core
