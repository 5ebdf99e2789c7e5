#include "brake.h"

#include <string>

#include <picket/base/text.h>

#include "log.h"

namespace picket::daemon {
namespace {

constexpr const char* kKey = "quarantine_brake"; ///< seconds since 1970 at which it engaged; empty = it has not

} // namespace

Brake::Brake(store::Store& store, const Clock& clock)
    : store_(store), clock_(clock), last_detection_(clock.monotonic()) {
    const auto saved = store.value(kKey);
    if (!saved || !saved->has_value())
        return;
    if (const auto seconds = parse_unsigned(**saved)) {
        state_.engaged = true;
        state_.since = WallTime(std::chrono::seconds(*seconds));
    }
}

Brake::Answer Brake::ask(unsigned maximum_per_minute) {
    std::lock_guard lock(mutex_);
    if (maximum_per_minute == 0)
        return Answer::go;
    if (state_.engaged) {
        ++state_.files_left;
        return Answer::engaged;
    }
    const MonotonicTime now = clock_.monotonic();
    std::erase_if(quarantined_, [now](MonotonicTime when) { return now - when >= kWindow; });
    if (quarantined_.size() < maximum_per_minute)
        return Answer::go;
    ++state_.files_left;
    set_engaged(true);
    return Answer::engages_now;
}

void Brake::on_quarantined() {
    std::lock_guard lock(mutex_);
    quarantined_.push_back(clock_.monotonic());
}

void Brake::on_detection() {
    std::lock_guard lock(mutex_);
    last_detection_ = clock_.monotonic();
}

bool Brake::release() {
    std::lock_guard lock(mutex_);
    const bool was_engaged = state_.engaged;
    if (was_engaged)
        set_engaged(false);
    return was_engaged;
}

std::optional<std::string_view> Brake::release_itself(unsigned maximum_per_minute) {
    std::lock_guard lock(mutex_);
    const bool quiet = clock_.monotonic() - last_detection_ >= kQuiet;
    if (!state_.engaged || (maximum_per_minute > 0 && !quiet))
        return std::nullopt;
    set_engaged(false);
    return maximum_per_minute == 0 ? "switched_off" : "quiet";
}

Brake::State Brake::state() const {
    std::lock_guard lock(mutex_);
    return state_;
}

void Brake::set_engaged(bool engaged) {
    state_.engaged = engaged;
    state_.since = engaged ? clock_.wall() : WallTime{};
    quarantined_.clear();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(state_.since.time_since_epoch()).count();
    if (const auto saved = store_.set_value(kKey, engaged ? std::to_string(seconds) : ""); !saved)
        log(LogLevel::error, "state.db: " + saved.error().message());
}

} // namespace picket::daemon
