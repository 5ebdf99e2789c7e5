#pragma once
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <picket/base/clock.h>
#include <picket/store/store.h>

namespace picket::daemon {

/// The brake against mass false positives: more quarantines within a minute than the profile lets pass, and from then
/// on malware is denied and stays where it is, until an administrator releases the brake or nothing was found for an
/// hour. That it is engaged is kept in state.db; a restart begins the hour and the minute anew. Thread-safe.
class Brake {
  public:
    static constexpr std::chrono::seconds kWindow{60};
    static constexpr std::chrono::hours kQuiet{1};

    Brake(store::Store& store, const Clock& clock);

    enum class Answer { go, engages_now, engaged };
    /// Asked before each file that is to be moved. With a maximum of 0 it never engages.
    Answer ask(unsigned maximum_per_minute);
    void on_quarantined();
    /// Something was found, whatever becomes of it.
    void on_detection();
    /// True where it was engaged.
    bool release();
    /// Why it has just released itself ("quiet", "switched_off"); nothing where it has not.
    std::optional<std::string_view> release_itself(unsigned maximum_per_minute);

    struct State {
        bool engaged = false;
        WallTime since{};
        std::uint64_t files_left = 0; ///< refused since the daemon's start
    };
    State state() const;

  private:
    void set_engaged(bool engaged);

    store::Store& store_;
    const Clock& clock_;
    mutable std::mutex mutex_;
    State state_;
    MonotonicTime last_detection_;
    std::vector<MonotonicTime> quarantined_; ///< those of the last minute
};

} // namespace picket::daemon
