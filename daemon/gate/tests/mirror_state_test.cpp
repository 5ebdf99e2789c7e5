#include <doctest/doctest.h>

#include "mirror_state.h"

using namespace picket;
using namespace picket::daemon;

namespace {

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::int64_t kHour = 3'600;
constexpr std::chrono::hours kInterval{4};
const WallTime kWall{std::chrono::seconds(kNow)};

MirrorState asked(std::int64_t ago) {
    MirrorState state;
    state.last_success = kNow - ago;
    state.expires = to_rfc3339(kWall + std::chrono::hours(24));
    return state;
}

} // namespace

TEST_CASE("a fleet that started together does not look together, and looks again about every four hours") {
    CHECK(next_look({}, kNow, kNow, 0.0, kInterval) == kNow + 30);
    CHECK(next_look({}, kNow, kNow, 1.0, kInterval) == kNow + 150);
    const std::int64_t started = kNow - 24 * kHour;
    CHECK(next_look(asked(kHour), started, kNow, 0.0, kInterval) == kNow + kHour * 26 / 10);
    CHECK(next_look(asked(kHour), started, kNow, 1.0, kInterval) == kNow + kHour * 34 / 10);
    CHECK(next_look(asked(10 * kHour), started, kNow, 0.5, kInterval) < kNow);
}

TEST_CASE("after a failure the back-off counts, after a clock that ran ahead it does not") {
    MirrorState state = asked(kHour);
    state.failures = 3;
    state.not_before = kNow + 777;
    CHECK(next_look(state, kNow - kHour, kNow, 0.5, kInterval) == kNow + 777);
    state.not_before = kNow + 365 * 24 * kHour;
    CHECK(next_look(state, kNow - kHour, kNow, 0.5, kInterval) <= kNow);
    state = asked(-365 * 24 * kHour);
    CHECK(next_look(state, kNow - kHour, kNow, 0.5, kInterval) <= kNow);
}

TEST_CASE("the profile's interval counts from one look to the next, a tenth earlier or later") {
    const std::int64_t started = kNow - 24 * kHour;
    for (const std::int64_t interval : {900L, 14'400L, 86'400L}) {
        const MirrorState state = asked(600);
        CHECK(next_look(state, started, kNow, 0.0, std::chrono::seconds(interval)) == kNow - 600 + interval * 9 / 10);
        CHECK(next_look(state, started, kNow, 1.0, std::chrono::seconds(interval)) == kNow - 600 + interval * 11 / 10);
    }
}

TEST_CASE("a lower age in the profile has a held set looked at again at once, and a mirror that fails no more often") {
    MirrorState state = asked(kHour);
    state.held = true;
    state.held_minimum_age = 24 * kHour;
    const std::int64_t started = kNow - 24 * kHour;
    CHECK(next_look(state, started, kNow, 0.5, kInterval, std::chrono::hours(24)) > kNow);
    CHECK(next_look(state, started, kNow, 0.5, kInterval, std::chrono::hours(48)) > kNow);
    CHECK(next_look(state, started, kNow, 0.5, kInterval, std::chrono::hours(23)) <= kNow);
    state.failures = 1;
    state.not_before = kNow + 777;
    CHECK(next_look(state, started, kNow, 0.5, kInterval, std::chrono::hours(23)) == kNow + 777);
}

TEST_CASE("health: a held set is no issue, but it is one where no set ever becomes old enough") {
    MirrorState state = asked(kHour);
    state.held = true;
    state.held_minimum_age = 24 * kHour;
    state.held_in_a_row = 71 * kHour;
    CHECK_FALSE(issue_of(state, kWall));
    state.held_in_a_row = 72 * kHour;
    CHECK(issue_of(state, kWall)->name == "definitions_held_back");
}

TEST_CASE("health: a mirror that is away for an hour is none, for a day it is; what is wrong with it is at once") {
    CHECK_FALSE(issue_of({}, kWall));
    CHECK_FALSE(issue_of(asked(kHour), kWall));
    MirrorState state = asked(kHour);
    state.failures = 1;
    state.failure_reason = "definitions_mirror_unreachable";
    CHECK_FALSE(issue_of(state, kWall));
    state.last_success = kNow - 25 * kHour;
    CHECK(issue_of(state, kWall)->name == "definitions_mirror_unreachable");
    state = asked(kHour);
    state.failures = 1;
    state.failure_reason = "definitions_mirror_untrusted";
    CHECK(issue_of(state, kWall)->name == "definitions_mirror_untrusted");
    state.failure_reason = "definitions_no_mirror";
    CHECK_FALSE(issue_of(state, kWall));
}

TEST_CASE("health: what is refused or past its date is said; what an administrator took back is not") {
    MirrorState state = asked(kHour);
    state.refused_reason = "definitions_refused";
    CHECK(issue_of(state, kWall)->name == "definitions_refused");
    state.refused_reason = "rolled_back";
    CHECK_FALSE(issue_of(state, kWall));
    CHECK_FALSE(is_old(state, kWall));
    CHECK(is_old(state, kWall + std::chrono::hours(24)));
    CHECK(issue_of(state, kWall + std::chrono::hours(25))->name == "definitions_old");
}
