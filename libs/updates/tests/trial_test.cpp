#include "mirror.h"

using namespace picket;
using namespace picket::updates;
using namespace picket::updates::testing;
using Status = Outcome::Status;

namespace {

const Files kFirst{{"a.ndb", "First:0:*:00\n"}, {"common.hdb", "common\n"}};
const Files kSecond{{"a.ndb", "Second:0:*:01\n"}, {"common.hdb", "common\n"}};

void check_failed(const Outcome& outcome, std::string_view reason, std::string_view part) {
    CAPTURE(outcome.message);
    CHECK(outcome.status == Status::failed);
    CHECK(outcome.reason == reason);
    CHECK(outcome.message.find(part) != std::string::npos);
}

} // namespace

TEST_CASE("what the engine refused is remembered, not downloaded again, and gives way to what is newer") {
    Host host;
    host.mirror.publish(1, kFirst);
    const Outcome bad = host.updater->prepare();
    REQUIRE(host.updater->refuse(bad.generation, "missed EICAR"));
    CHECK(host.store->list()->size() == 1);
    host.restart();
    host.mirror.asked.clear();
    const Outcome again = host.update();
    CHECK(again.status == Status::refused);
    CHECK(again.message == "missed EICAR");
    CHECK(host.mirror.asked.size() == 4);
    host.clock.advance(std::chrono::hours(1));
    host.mirror.publish(2, kSecond);
    CHECK(host.update().status == Status::candidate);
}

TEST_CASE("rollback: the one before, whole; the one regretted stays away until there is a newer one") {
    Host host;
    host.mirror.publish(1, kFirst);
    REQUIRE(host.update().status == Status::candidate);
    host.clock.advance(std::chrono::hours(1));
    host.mirror.publish(2, kSecond);
    REQUIRE(host.update().status == Status::candidate);
    const Outcome back = host.updater->prepare_rollback();
    REQUIRE(back.status == Status::candidate);
    CHECK(host.content("a.ndb") == kSecond.at("a.ndb")); // until the engine has it
    REQUIRE(host.updater->commit(back.generation));
    CHECK(host.content("a.ndb") == kFirst.at("a.ndb"));
    host.restart();
    CHECK(host.update().status == Status::refused);
    CHECK(host.content("a.ndb") == kFirst.at("a.ndb"));
    const Outcome further = host.updater->prepare_rollback();
    REQUIRE(further.status == Status::candidate);
    REQUIRE(host.updater->commit(further.generation));
    CHECK(host.current() == "20000101T000000Z-bundle");
    CHECK(host.updater->prepare_rollback().status == Status::failed);
    CHECK(host.update().status == Status::refused);
    host.clock.advance(std::chrono::hours(1));
    host.mirror.publish(3, kSecond);
    CHECK(host.update().status == Status::candidate);
    CHECK(host.content("a.ndb") == kSecond.at("a.ndb"));
}

TEST_CASE("a generation that rotted is not gone back to") {
    Host host;
    host.mirror.publish(1, kFirst);
    REQUIRE(host.update().status == Status::candidate);
    const std::string first = host.current();
    host.clock.advance(std::chrono::hours(1));
    host.mirror.publish(2, kSecond);
    REQUIRE(host.update().status == Status::candidate);
    REQUIRE(host.root->write_atomically(host.store->path_of(first) + "/a.ndb", "rotten\n", 0644));
    check_failed(host.updater->prepare_rollback(), "definitions_update_failed", "is not what was installed");
}

TEST_CASE("killed after any step: the next attempt ends where it should") {
    Host host;
    host.mirror.publish(1, kFirst);
    const Outcome candidate = host.updater->prepare();
    host.restart(); // before the engine answered
    CHECK(host.updater->prepare().generation == candidate.generation);
    REQUIRE(host.store->make_current(candidate.generation)); // in the middle of commit()
    host.restart();
    CHECK(host.update().status == Status::unchanged);
    CHECK(host.current() == candidate.generation);
    CHECK_FALSE(host.updater->commit("no-candidate").has_value());
}

TEST_CASE("a host that moves to another organisation begins anew; one without a mirror says so") {
    Host host;
    host.mirror.publish(9, kFirst);
    REQUIRE(host.update().status == Status::candidate);
    Mirror other(host.clock);
    host.clock.advance(std::chrono::hours(1));
    other.name_keys(1);
    other.publish(1, kSecond);
    host.onboard(other.organisation.public_key());
    host.mirror.served = other.served;
    CHECK(host.update().status == Status::candidate);
    CHECK(host.content("a.ndb") == kSecond.at("a.ndb"));
    REQUIRE(host.root->remove(paths::kOnboarding));
    check_failed(host.update(), "definitions_no_mirror", "belongs to no organisation");
}

TEST_CASE("a publication in between two requests is looked at once more") {
    Host host;
    host.mirror.publish(1, kFirst);
    REQUIRE(host.update().status == Status::candidate);
    host.clock.advance(std::chrono::hours(1));
    int seen = 0;
    host.mirror.before = [&](const std::string& name) {
        if (name == "manifest.json.minisig" && ++seen == 1)
            host.mirror.publish(3, kSecond);
    };
    host.mirror.publish(2, kSecond);
    CHECK(host.update().version == 3);
}

TEST_CASE("status says what is in force, from where, and what went wrong last") {
    Host host;
    host.mirror.publish(7, kFirst);
    REQUIRE(host.update().status == Status::candidate);
    host.mirror.status = 500;
    (void)host.update();
    const data::Json status = host.updater->status();
    CHECK(data::string_or(status, "generation", "") == host.current());
    CHECK(data::string_or(status, "mirror", "") == host.mirror.base);
    CHECK(data::integer_or(status, "version", 0) == 7);
    CHECK(data::string_or(data::member(status, "failure"), "name", "") == "definitions_mirror_unreachable");
    CHECK(data::member(status, "generations").size() == 2);
}
