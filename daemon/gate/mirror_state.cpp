#include "mirror_state.h"

#include <algorithm>

#include <fmt/format.h>
#include <picket/data/json.h>
#include <picket/model/paths.h>

namespace picket::daemon {
namespace {

constexpr std::int64_t kAfterStart = 30; ///< the network may come up after us
constexpr std::int64_t kFirstSpread = 120;
constexpr std::int64_t kLongestWait = 48 * 3'600;    ///< no interval and no back-off is as long: the clock was set back
constexpr std::int64_t kUnreachableFor = 24 * 3'600; ///< before health says so
constexpr std::int64_t kHeldTimes = 3;         ///< the minimum age, before health says that no set ever reaches it
constexpr std::uint64_t kUnreachableTimes = 3; ///< where the mirror never answered

std::int64_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

} // namespace

MirrorState read_mirror_state(const sys::Root& root) {
    MirrorState state;
    const auto text = root.read(paths::kMirrorMemory, kibibytes(256));
    const auto json = text ? data::parse_json(*text) : Result<data::Json>(text.error());
    if (!json)
        return state;
    const data::Json& attempts = data::member(*json, "attempts");
    state.last_success = data::integer_or(attempts, "last_success", 0);
    state.not_before = data::integer_or(attempts, "not_before", 0);
    state.failures = static_cast<std::uint64_t>(std::max<std::int64_t>(0, data::integer_or(attempts, "failures", 0)));
    state.failure_reason = data::string_or(attempts, "reason", "");
    state.failure_message = data::string_or(attempts, "message", "");
    state.expires = data::string_or(data::member(*json, "accepted"), "expires", "");
    state.issued = data::string_or(data::member(*json, "accepted"), "issued", "");
    const data::Json& refused = data::member(*json, "refused");
    state.refused_reason = data::string_or(refused, "reason", "");
    state.refused_message = data::string_or(refused, "message", "");
    const data::Json& held = data::member(*json, "held");
    state.held = held.is_object();
    state.held_minimum_age = data::integer_or(held, "minimum_age", 0);
    state.held_in_a_row = data::integer_or(held, "in_a_row", 0);
    return state;
}

std::int64_t next_look(const MirrorState& state, std::int64_t started, std::int64_t now, double spread,
                       std::chrono::seconds interval, std::chrono::seconds minimum_age) {
    const std::int64_t first = started + kAfterStart + static_cast<std::int64_t>(spread * kFirstSpread);
    std::int64_t due = first;
    if (state.failures > 0)
        due = state.not_before;
    else if (state.held && state.held_minimum_age > minimum_age.count()) // the profile has changed since
        due = now;
    else if (state.last_success > 0)
        due = state.last_success + interval.count() * 9 / 10 +
              static_cast<std::int64_t>(spread * static_cast<double>(interval.count()) / 5);
    if (due > now + kLongestWait)
        due = now;
    return std::max(due, first);
}

bool is_old(const MirrorState& state, WallTime now) {
    return !state.expires.empty() &&
           state.expires <= to_rfc3339(now); // one spelling of time: its text sorts as it does
}

std::optional<MirrorIssue> issue_of(const MirrorState& state, WallTime now) {
    if (is_old(state, now))
        return MirrorIssue{"definitions_old", fmt::format("the definitions were to be replaced by {}", state.expires),
                           "see whether the mirror is kept up: picket definitions update"};
    if (state.refused_reason == "definitions_refused")
        return MirrorIssue{"definitions_refused", "the newest definitions were refused: " + state.refused_message,
                           "publish a set without this fault; the former ones go on"};
    if (state.held && state.held_in_a_row >= kHeldTimes * state.held_minimum_age)
        return MirrorIssue{
            "definitions_held_back",
            fmt::format("no set of definitions has become {} s old for {} s: each was replaced before",
                        state.held_minimum_age, state.held_in_a_row),
            "make definitions.minimumAgeSeconds less than the time between two publications; picket definitions update "
            "--now takes the newest set at once"};
    if (state.failures == 0 || state.failure_reason == "definitions_no_mirror")
        return std::nullopt;
    const bool lately = state.last_success > 0 ? seconds_of(now) - state.last_success < kUnreachableFor
                                               : state.failures < kUnreachableTimes;
    if (state.failure_reason == "definitions_mirror_unreachable" && lately)
        return std::nullopt;
    return MirrorIssue{state.failure_reason, "no definitions from the mirror: " + state.failure_message,
                       "see docs/operations.md, then picket definitions update"};
}

} // namespace picket::daemon
