#include "allowances.h"

#include <algorithm>

#include <picket/data/json.h>

#include "log.h"

namespace picket::daemon {
namespace {

constexpr const char* kKey = "allowances";

std::int64_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

} // namespace

Allowances::Allowances(store::Store& store, const Clock& clock) : store_(store), clock_(clock) {
    const auto saved = store.value(kKey);
    if (!saved || !saved->has_value())
        return;
    const auto parsed = data::parse_json(**saved);
    if (!parsed || !parsed->is_object()) {
        log(LogLevel::warning, "the saved allowances are unreadable: restored files may be taken again");
        return;
    }
    for (const auto& [digest, until] : parsed->items())
        if (until.is_number_integer())
            until_[digest] = WallTime(std::chrono::seconds(until.get<std::int64_t>()));
}

Result<void> Allowances::save() {
    data::Json saved = data::Json::object();
    for (const auto& [digest, until] : until_)
        saved[digest] = seconds_of(until);
    return store_.set_value(kKey, data::to_text(saved));
}

Result<void> Allowances::add(const std::string& sha256, WallTime until) {
    std::lock_guard lock(mutex_);
    std::erase_if(until_, [now = clock_.wall()](const auto& entry) { return entry.second < now; });
    if (until_.size() >= 10'000)
        return Error(ErrorCode::exhausted, "more than 10000 restored files at a time");
    until_[sha256] = until;
    return save();
}

Result<void> Allowances::remove(const std::string& sha256) {
    std::lock_guard lock(mutex_);
    until_.erase(sha256);
    return save();
}

bool Allowances::contains(const std::string& sha256) const {
    std::lock_guard lock(mutex_);
    const auto found = until_.find(sha256);
    return found != until_.end() && found->second >= clock_.wall();
}

bool Allowances::any() const {
    std::lock_guard lock(mutex_);
    const WallTime now = clock_.wall();
    return std::any_of(until_.begin(), until_.end(), [now](const auto& entry) { return entry.second >= now; });
}

} // namespace picket::daemon
