#pragma once
#include <picket/base/clock.h>

namespace picket::testing {

/// A clock that stands still until it is told to advance. Not thread-safe.
class FakeClock final : public Clock {
  public:
    MonotonicTime monotonic() const override { return monotonic_; }
    WallTime wall() const override { return wall_; }
    void advance(Milliseconds by) {
        monotonic_ += by;
        wall_ += by;
    }
    void set_wall(WallTime time) { wall_ = time; }

  private:
    MonotonicTime monotonic_{std::chrono::hours(1)};
    WallTime wall_{std::chrono::seconds(1'800'000'000)};
};

} // namespace picket::testing
