#pragma once
#include <mutex>
#include <optional>

#include <picket/base/clock.h>
#include <picket/store/store.h>

namespace picket::daemon {

/// How much is left of the time that this build is meant for. A clock may be wrong, so the time is the latest of three:
/// the clock; the day of the build and the time that it has run on this host since; the day on which the definitions in
/// force were signed. The last two are never later than it really is, so that a clock set back makes no build young; of
/// a clock that is ahead nothing is kept, so that it makes a build old only as long as it stands there. Thread-safe.
class BuildExpiry {
  public:
    static constexpr std::chrono::hours kSaveEvery{1}; ///< at most that much of the running time is lost by a crash

    BuildExpiry(store::Store& store, const Clock& clock, WallTime built, WallTime end);

    struct State {
        WallTime end{};
        unsigned days_left = 0;  ///< a day that has begun counts; 0 from the end on
        WallTime proved{};       ///< it is not earlier than that, whatever the clock says
        bool clock_back = false; ///< the clock stands a day or more before that
        bool expired() const { return days_left == 0; }
    };
    State state() const;

    /// Now and then. 30, 14, 7, 1 or 0 (the end) where that mark has just been reached: once, also over restarts. Of
    /// several the last one. A mark that was reached by a clock put right since is told again when it is reached again.
    std::optional<unsigned> on_tick(std::optional<WallTime> definitions_signed);
    /// Keeps the running time for the next start.
    void save();

  private:
    WallTime proved() const;
    State state_locked() const;
    void count_time();
    void save_locked();

    store::Store& store_;
    const Clock& clock_;
    const WallTime built_;
    const WallTime end_;
    mutable std::mutex mutex_;
    MonotonicTime last_count_;
    MonotonicTime last_save_;
    MonotonicTime::duration ran_{};
    std::optional<WallTime> definitions_signed_;
    unsigned told_; ///< the mark that was told last
};

} // namespace picket::daemon
