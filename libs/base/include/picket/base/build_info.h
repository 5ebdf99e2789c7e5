#pragma once
#include <string>

#include <picket/base/clock.h>

/// What this build is. Only build_info.cpp knows the numbers, so that a new day rebuilds one file.
namespace picket::build {

/// "0.1.0"
const char* version();
/// The day of its source, cmake/BuildDate.cmake.
WallTime built_at();
/// Nine months later. Protection goes on after it; health says so.
WallTime expiration();
/// How long before that it is said.
constexpr std::chrono::hours kExpirationWarning{30 * 24};

} // namespace picket::build
