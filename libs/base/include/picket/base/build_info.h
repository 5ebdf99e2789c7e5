#pragma once
#include <string>

#include <picket/base/clock.h>

/// What this build is. Only build_info.cpp knows the numbers, so that a new day rebuilds one file.
namespace picket::build {

/// "0.1.0"
const char* version();
/// When it was configured, or SOURCE_DATE_EPOCH where that is set.
WallTime built_at();
/// Nine months later. Protection goes on after it; health says so.
WallTime expiration();

} // namespace picket::build
