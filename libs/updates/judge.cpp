#include <picket/updates/judge.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/trust/time_text.h>

namespace picket::updates {
namespace {

Error rolled_back(std::string_view what, std::uint64_t offered, std::uint64_t seen) {
    return Error(ErrorCode::conflict, fmt::format("the mirror offers version {} of {}, after version {} was seen: it "
                                                  "is behind, or somebody plays back what was valid once",
                                                  offered, what, seen));
}

Error expired(std::string_view what, std::uint64_t version, const std::string& expires) {
    return Error(ErrorCode::cancelled, fmt::format("version {} of {} was valid until {}: the mirror is not kept up, or "
                                                   "somebody holds back what is newer",
                                                   version, what, expires));
}

} // namespace

WallTime judged_now(WallTime clock, const Memory& memory) {
    WallTime now = std::max(clock, build::built_at());
    if (memory.accepted)
        if (const auto issued = trust::parse_time(memory.accepted->issued))
            now = std::max(now, *issued);
    return now;
}

Result<void> judge_key_list(const Memory& memory, const trust::KeyList& list, WallTime now) {
    if (list.version < memory.key_list_version)
        return rolled_back(trust::kKeyListName, list.version, memory.key_list_version);
    if (list.expires <= now)
        return expired(trust::kKeyListName, list.version, to_rfc3339(list.expires));
    return {};
}

Result<void> judge_set(const Memory& memory, const SetRecord& offered, WallTime now) {
    const auto floor = memory.floors.find(offered.key_id);
    if (floor != memory.floors.end()) {
        if (offered.version < floor->second.version)
            return rolled_back("the definitions", offered.version, floor->second.version);
        if (offered.version == floor->second.version && offered.sha256 != floor->second.sha256)
            return Error(ErrorCode::conflict,
                         fmt::format("there are two different sets of version {}", offered.version));
    }
    const auto expires = trust::parse_time(offered.expires);
    if (!expires || *expires <= now)
        return expired("the definitions", offered.version, offered.expires);
    return {};
}

std::optional<std::string> why_refused(const Memory& memory, const SetRecord& offered) {
    if (!memory.refused || memory.refused->set.key_id != offered.key_id ||
        offered.version > memory.refused->set.version)
        return std::nullopt;
    return memory.refused->message;
}

Held hold_on(const std::optional<Held>& before, const SetRecord& offered, std::chrono::seconds minimum_age,
             const Clock& clock) {
    const std::int64_t now =
        std::chrono::duration_cast<std::chrono::seconds>(clock.monotonic().time_since_epoch()).count();
    Held held{.set = offered, .minimum_age = minimum_age.count(), .counted_at = now};
    if (!before)
        return held;
    // It begins anew with the machine: all that it shows then has passed since the last look.
    const std::int64_t passed = now >= before->counted_at ? now - before->counted_at : now;
    held.in_a_row = before->in_a_row + passed;
    if (before->set.sha256 == offered.sha256)
        held.waited = before->waited + passed;
    return held;
}

std::optional<WallTime> held_until(const Held& held, WallTime clock) {
    std::int64_t left = held.minimum_age - held.waited;
    if (const auto issued = trust::parse_time(held.set.issued); issued && *issued <= clock)
        left = std::min<std::int64_t>(
            left, held.minimum_age - std::chrono::duration_cast<std::chrono::seconds>(clock - *issued).count());
    if (left <= 0)
        return std::nullopt;
    return clock + std::chrono::seconds(left);
}

bool still_signed(const Memory& memory, const trust::KeyList& list) {
    return memory.accepted && std::any_of(list.keys.begin(), list.keys.end(), [&](const auto& key) {
               return crypto::to_text(key.id) == memory.accepted->key_id;
           });
}

} // namespace picket::updates
