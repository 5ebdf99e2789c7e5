#pragma once
#include <chrono>
#include <string>

namespace picket {

using MonotonicTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

/// Seam for time. Thread-safe.
class Clock {
  public:
    virtual ~Clock() = default;
    /// CLOCK_MONOTONIC: never goes back, stands still in suspend.
    virtual MonotonicTime monotonic() const = 0;
    /// UTC; an administrator may step it.
    virtual WallTime wall() const = 0;
};

/// The real clock. Stateless.
class SystemClock final : public Clock {
  public:
    MonotonicTime monotonic() const override { return std::chrono::steady_clock::now(); }
    WallTime wall() const override { return std::chrono::system_clock::now(); }
};

/// RFC 3339 in UTC with milliseconds: 2026-11-24T22:56:51.123Z.
std::string to_rfc3339(WallTime time);

} // namespace picket
