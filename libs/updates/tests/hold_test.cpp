#include <array>
#include <memory>

#include <picket/updates/judge.h>

#include "mirror.h"

using namespace picket;
using namespace picket::updates;
using namespace picket::updates::testing;
using namespace std::chrono_literals;
using Status = Outcome::Status;

namespace {

const Files kFirst{{"a.ndb", "First:0:*:00\n"}};
const Files kSecond{{"a.ndb", "Second:0:*:01\n"}};

std::string held_until(const Host& host) {
    return data::string_or(data::member(host.updater->status(), "held"), "until", "");
}

/// As its organisation's clock has it.
void publish_at(Host& host, WallTime day, std::uint64_t version, const Files& files) {
    const WallTime now = host.clock.wall();
    host.clock.set_wall(day);
    host.mirror.publish(version, files, 10'000h);
    host.clock.set_wall(now);
}

/// A clock of a machine that was started again.
class Rebooted final : public Clock {
  public:
    explicit Rebooted(std::chrono::seconds up) : up_(up) {}
    MonotonicTime monotonic() const override { return MonotonicTime(up_); }
    WallTime wall() const override { return WallTime(1'800'000'000s); }

  private:
    std::chrono::seconds up_;
};

} // namespace

TEST_CASE(
    "a set that is too young is held: no error, nothing of it is fetched, and it is taken when it is old enough") {
    Host host;
    host.mirror.publish(1, kFirst);
    const WallTime signed_at = host.clock.wall();
    const Outcome young = host.update(24h);
    CHECK(young.status == Status::held);
    CHECK(young.version == 1);
    CHECK(young.generation == "20000101T000000Z-bundle"); // the first set of all is held like any other
    CHECK(held_until(host) == to_rfc3339(signed_at + 24h));
    for (const std::string& name : host.mirror.asked)
        CHECK_FALSE(name.starts_with("files/"));
    const Memory memory = load_memory(*host.root, *host.store);
    CHECK(memory.attempts.failures == 0);
    CHECK(memory.attempts.last_success > 0);
    host.clock.advance(24h - 1min);
    host.restart();
    CHECK(host.update(24h).status == Status::held);
    host.clock.advance(1min);
    CHECK(host.update(24h).status == Status::candidate);
    CHECK(host.content("a.ndb") == kFirst.at("a.ndb"));
    CHECK(held_until(host).empty());
}

TEST_CASE("a set that is replaced while it is held is never taken, and the next one waits its own time") {
    Host host;
    host.mirror.publish(1, kFirst);
    CHECK(host.update(24h).status == Status::held);
    host.clock.advance(23h);
    host.mirror.publish(2, kSecond);
    CHECK(host.update(24h).status == Status::held);
    host.clock.advance(23h);
    CHECK(host.update(24h).status == Status::held);
    CHECK(load_memory(*host.root, *host.store).held->in_a_row == 46 * 3'600); // what health goes by
    host.clock.advance(1h);
    CHECK(host.update(24h).version == 2);
    CHECK(host.content("a.ndb") == kSecond.at("a.ndb"));
}

TEST_CASE("a host that was away takes at once what is old enough; one whose own set is past its date waits too") {
    Host host;
    host.mirror.publish(1, kFirst, 48h);
    host.clock.advance(24h);
    CHECK(host.update(24h).status == Status::candidate);
    host.clock.advance(100h);
    host.mirror.publish(2, kSecond);
    CHECK(host.update(24h).status == Status::held);
    CHECK(host.content("a.ndb") == kFirst.at("a.ndb"));
}

TEST_CASE("by hand, or with a lower age in the profile, a held set is taken at once") {
    Host host;
    host.mirror.publish(1, kFirst);
    CHECK(host.update(24h).status == Status::held);
    CHECK(host.update(0s).status == Status::candidate);
    host.clock.advance(1h);
    host.mirror.publish(2, kSecond);
    CHECK(host.update(24h).status == Status::held);
    host.clock.advance(2h);
    CHECK(host.update(3h + 1s).status == Status::held);
    CHECK(host.update(2h).status == Status::candidate);
}

TEST_CASE("signed with a day in the future: held as long as any other, counted from the first look, and no longer") {
    Host host;
    host.mirror.name_keys(2, 20'000h);
    publish_at(host, host.clock.wall() + 24h * 365, 1, kFirst);
    CHECK(host.update(24h).status == Status::held);
    CHECK(held_until(host) == to_rfc3339(host.clock.wall() + 24h));
    host.clock.advance(24h - 1min);
    host.restart();
    CHECK(host.update(24h).status == Status::held);
    host.clock.advance(1min);
    CHECK(host.update(24h).status == Status::candidate);
    // And what comes after it with the right day does not count as a year old.
    publish_at(host, host.clock.wall(), 2, kSecond);
    CHECK(host.update(24h).status == Status::held);
}

TEST_CASE("a clock that is set back, or that always begins in 1970, delays a set by its age at most") {
    Host host;
    host.mirror.publish(1, kFirst, 10'000h);
    host.clock.set_wall(WallTime(1h));
    CHECK(host.update(24h).status == Status::held);
    host.clock.advance(12h);
    CHECK(host.update(24h).status == Status::held);
    host.clock.set_wall(WallTime(1h));
    host.clock.advance(11h);
    CHECK(host.update(24h).status == Status::held);
    host.clock.advance(1h);
    CHECK(host.update(24h).status == Status::candidate);
}

TEST_CASE("the time that a host has waited is never more than what passed, also over reboots") {
    const SetRecord set{.version = 1, .key_id = "k", .sha256 = "s", .issued = "2100-01-01T00:00:00Z"};
    const Held before{.set = set, .minimum_age = 7'200, .waited = 1'000, .in_a_row = 5'000, .counted_at = 50'000};
    CHECK(hold_on(before, set, 7'200s, Rebooted(300s)).waited == 1'300);
    CHECK(hold_on(before, set, 7'200s, Rebooted(50'400s)).waited == 1'400);
    CHECK(hold_on(before, set, 7'200s, Rebooted(50'400s)).in_a_row == 5'400);
    SetRecord other = set;
    other.sha256 = "other";
    CHECK(hold_on(before, other, 7'200s, Rebooted(300s)).waited == 0);
    CHECK(hold_on(std::nullopt, set, 7'200s, Rebooted(300s)).waited == 0);
    CHECK(updates::held_until(before, WallTime(1'800'000'000s)) == WallTime(1'800'006'200s));
    Held nonsense = before; // of a file that somebody wrote
    nonsense.set.issued = "yesterday";
    CHECK(updates::held_until(nonsense, WallTime(1'800'000'000s)) == WallTime(1'800'006'200s));
}

namespace {

constexpr std::chrono::hours kBetweenLooks{4};

/// A fleet whose first ring takes everything at once, and the rest what has stood for `others_age`.
struct Fleet {
    Fleet(std::size_t size, std::size_t first_ring, std::chrono::seconds others_age)
        : canaries(first_ring), age(others_age) {
        for (std::size_t i = 0; i < size; ++i)
            hosts.push_back(std::make_unique<Machine>(setting));
    }
    /// Every host looks once, one after the other, or every tenth.
    void look(std::size_t every = 1) {
        looked = {};
        for (std::size_t i = 0; i < hosts.size(); i += every) {
            setting.clock.advance(std::chrono::duration_cast<Milliseconds>(kBetweenLooks) / hosts.size());
            const bool canary = i < canaries;
            ++looked[canary ? 0 : 1];
            const Outcome outcome = hosts[i]->update(canary ? 0s : age);
            if (outcome.status == Status::candidate)
                ++loaded[outcome.version][canary ? 0 : 1];
            failures += outcome.status == Status::failed ? 1U : 0U;
        }
    }
    void tell(std::uint64_t version, const std::string& what) {
        MESSAGE("set ", std::to_string(version), what, ": loaded by ", loaded[version][0], " of ", looked[0],
                " canaries that looked and ", loaded[version][1], " of ", looked[1], " other hosts");
    }
    std::size_t canaries;
    std::chrono::seconds age;
    Setting setting;
    std::vector<std::unique_ptr<Machine>> hosts;
    std::map<std::uint64_t, std::array<std::size_t, 2>> loaded; ///< by canaries, by others
    std::array<std::size_t, 2> looked{};                        ///< in the last round
    std::size_t failures = 0;
};

/// A poisoned set, which every host looks at, and the one that the organisation then puts in its place: of that a
/// sample is enough, for time's sake.
void publish_poison(Fleet& fleet) {
    fleet.setting.mirror.publish(1, kFirst);
    fleet.look();
    fleet.tell(1, " (poisoned)");
    fleet.setting.mirror.publish(2, kSecond);
    fleet.setting.clock.advance(24h);
    fleet.look(10);
    fleet.tell(2, "");
}

} // namespace

TEST_CASE("a fleet of 1,000 hosts: a poisoned set is loaded by the first ring alone, and the next by the others too") {
    Fleet fleet(1'000, 10, 24h);
    publish_poison(fleet);
    CHECK(fleet.loaded[1] == std::array<std::size_t, 2>{10, 0});
    CHECK(fleet.loaded[2] == std::array<std::size_t, 2>{1, 99});
    CHECK(fleet.failures == 0);
}

TEST_CASE("the same without an age: every host loads it") {
    Fleet fleet(50, 10, 0s);
    publish_poison(fleet);
    CHECK(fleet.loaded[1] == std::array<std::size_t, 2>{10, 40});
}
