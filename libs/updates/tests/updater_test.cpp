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

TEST_CASE("a set comes in whole, by its names, and only what is new is fetched afterwards") {
    Host host;
    host.mirror.publish(1, kFirst);
    const Outcome first = host.updater->prepare();
    CHECK(first.status == Status::candidate);
    CHECK(host.current() == "20000101T000000Z-bundle"); // not before the engine took it
    CHECK(*host.store->candidate() == first.generation);
    REQUIRE(host.updater->commit(first.generation));
    CHECK(host.current() == first.generation);
    CHECK(host.content("a.ndb") == kFirst.at("a.ndb"));
    CHECK(host.store->verify(first.generation));
    CHECK(host.incoming() == 0);
    CHECK_FALSE(host.store->candidate());

    host.mirror.asked.clear();
    CHECK(host.update().status == Status::unchanged);
    CHECK(host.mirror.asked == std::vector<std::string>{"keys.json", "keys.json.minisig", "manifest.json"});

    host.clock.advance(std::chrono::hours(1));
    host.mirror.publish(2, kSecond);
    host.mirror.asked.clear();
    CHECK(host.update().status == Status::candidate);
    CHECK(host.content("a.ndb") == kSecond.at("a.ndb"));
    CHECK(host.mirror.asked.size() == 5); // keys, manifest, their signatures, and one file
}

TEST_CASE("every byte of what is signed counts: nothing changed reaches a generation") {
    Host host;
    host.mirror.publish(1, kFirst);
    const Files good = host.mirror.served;
    for (const auto& [name, content] : good)
        for (std::size_t i = 0; i < content.size();
             i += name.ends_with(".minisig") || name.starts_with("files") ? 1 : 7) {
            host.mirror.served = good;
            host.mirror.served[name][i] = static_cast<char>(content[i] ^ 1);
            std::filesystem::remove_all(host.top + paths::kIncomingDefinitions);
            const Outcome outcome = host.updater->prepare();
            // A signature's first line is a comment that nobody signs.
            if (outcome.status != Status::failed)
                REQUIRE(i < content.find('\n'));
            else
                REQUIRE(outcome.reason == "definitions_mirror_untrusted");
            if (outcome.status == Status::candidate)
                REQUIRE(host.updater->refuse(outcome.generation, "not this time"));
            host.restart();
        }
    CHECK(host.current() == "20000101T000000Z-bundle");
    CHECK(host.store->list()->size() == 1);
}

TEST_CASE("older than what was seen is refused, also after a restart and without the memory") {
    Host host;
    host.mirror.publish(1, kFirst);
    const Files old = host.mirror.served;
    host.clock.advance(std::chrono::hours(1));
    host.mirror.publish(5, kSecond);
    REQUIRE(host.update().status == Status::candidate);
    const std::string now = host.current();
    host.mirror.served = old;
    check_failed(host.update(), "definitions_mirror_untrusted", "version 1 of the definitions, after version 5");
    host.restart();
    check_failed(host.update(), "definitions_mirror_untrusted", "after version 5");
    REQUIRE(host.root->remove(paths::kMirrorMemory));
    host.restart();
    check_failed(host.update(), "definitions_mirror_untrusted", "after version 5");
    CHECK(host.current() == now);
}

TEST_CASE("an older list of keys is refused; so is a second set of one version") {
    Host host;
    const Files old = host.mirror.served;
    host.mirror.name_keys(3);
    host.mirror.publish(1, kFirst);
    REQUIRE(host.update().status == Status::candidate);
    host.mirror.publish(1, kSecond);
    check_failed(host.update(), "definitions_mirror_untrusted", "two different sets of version 1");
    host.mirror.publish(2, kSecond);
    host.mirror.served["keys.json"] = old.at("keys.json");
    host.mirror.served["keys.json.minisig"] = old.at("keys.json.minisig");
    check_failed(host.update(), "definitions_mirror_untrusted", "version 1 of keys.json, after version 3");
}

TEST_CASE("signed by another key, or by another organisation: refused before anything is read") {
    Host host;
    host.mirror.publish(1, kFirst);
    const auto mine = std::move(host.mirror.signer);
    host.mirror.new_key();
    host.mirror.publish(2, kSecond);
    check_failed(host.update(), "definitions_mirror_untrusted", "signed with key");
    Mirror other(host.clock);
    other.publish(3, kSecond);
    host.mirror.served = other.served;
    check_failed(host.update(), "definitions_mirror_untrusted", "signed with key");
}

TEST_CASE("a stolen key that signed the highest number is of no use once the organisation names another") {
    Host host;
    host.mirror.publish(0x7fff'ffff'ffff'ffff, kFirst);
    REQUIRE(host.update().status == Status::candidate);
    const Files stolen = host.mirror.served;
    host.mirror.new_key();
    host.mirror.name_keys(2);
    host.clock.advance(std::chrono::hours(1));
    host.mirror.publish(1, kSecond);
    REQUIRE(host.update().status == Status::candidate);
    CHECK(host.content("a.ndb") == kSecond.at("a.ndb"));
    // The thief still has a mirror, but not the new list of keys.
    for (const char* name : {"manifest.json", "manifest.json.minisig"})
        host.mirror.served[name] = stolen.at(name);
    check_failed(host.update(), "definitions_mirror_untrusted", "does not name");
    host.mirror.served = stolen;
    check_failed(host.update(), "definitions_mirror_untrusted", "version 1 of keys.json, after version 2");
}

TEST_CASE("a mirror that stands still is told, also where it says that nothing changed, and what is there goes on") {
    Host host;
    host.mirror.publish(1, kFirst, std::chrono::hours(48));
    REQUIRE(host.update().status == Status::candidate);
    host.clock.advance(std::chrono::hours(49));
    check_failed(host.update(), "definitions_mirror_stale", "was valid until");
    CHECK(host.content("a.ndb") == kFirst.at("a.ndb"));
    // A clock that is set back before the set was made does not make it young again.
    host.mirror.publish(2, kSecond, std::chrono::hours(48));
    REQUIRE(host.update().status == Status::candidate);
    const Files old = host.mirror.served;
    host.clock.advance(std::chrono::hours(100));
    host.mirror.publish(3, kFirst, std::chrono::hours(48));
    REQUIRE(host.update().status == Status::candidate);
    host.clock.advance(std::chrono::hours(-1000));
    host.mirror.served = old;
    CHECK(host.update().status == Status::failed);
}

TEST_CASE("what is interrupted is resumed, and what was resumed wrongly begins anew") {
    Host host;
    const Files large{{"a.ndb", std::string(10'000, 'x') + "\n"}};
    host.mirror.publish(1, large);
    host.mirror.before = [&](const std::string& name) {
        host.mirror.cut_after = name.starts_with("files/") ? 4'000 : ~std::size_t{0};
    };
    check_failed(host.update(), "definitions_mirror_unreachable", "the connection broke");
    CHECK(host.incoming() == 1);
    host.restart();
    check_failed(host.update(), "definitions_mirror_unreachable", "the connection broke");
    REQUIRE(host.update().status == Status::candidate); // the last 2,001 bytes
    CHECK(host.content("a.ndb") == large.at("a.ndb"));

    host.clock.advance(std::chrono::hours(1));
    host.mirror.before = nullptr;
    host.mirror.cut_after = ~std::size_t{0};
    const Files next{{"a.ndb", std::string(9'000, 'y') + "\n"}};
    host.mirror.publish(2, next);
    const std::string part =
        std::string(paths::kIncomingDefinitions) + "/" + crypto::sha256_hex(next.at("a.ndb")) + ".part";
    REQUIRE(host.root->write_atomically(part, "not the beginning of it", 0600));
    REQUIRE(host.update().status == Status::candidate);
    CHECK(host.content("a.ndb") == next.at("a.ndb"));
}

TEST_CASE("the file that comes is another one than was signed: refused, and nothing is left of it") {
    Host host;
    host.mirror.publish(1, kFirst);
    host.mirror.served["files/" + crypto::sha256_hex(kFirst.at("a.ndb"))] = "Worse:0:*:00\n";
    check_failed(host.update(), "definitions_mirror_untrusted", "is not a.ndb as it was signed");
    CHECK(host.store->list()->size() == 1);
    CHECK_FALSE(host.store->candidate());
}

TEST_CASE("names that are no definition files, and too many of them, are refused") {
    for (const char* name : {"a.cbc", "a.cfg", "run.sh", "a.info"}) {
        Host host;
        host.mirror.publish(1, {{name, "x"}});
        check_failed(host.update(), "definitions_mirror_untrusted", "is no definition file");
    }
}

TEST_CASE("failures back off with jitter, Retry-After counts, and only a new reason is news") {
    Host host;
    host.mirror.publish(1, kFirst);
    host.mirror.status = 503;
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(host.clock.wall().time_since_epoch()).count();
    CHECK(host.update().news);
    CHECK_FALSE(host.update().news);
    const Memory memory = load_memory(*host.root, *host.store);
    CHECK(memory.attempts.failures == 2);
    CHECK(memory.attempts.not_before >= now + 300);
    CHECK(memory.attempts.not_before <= now + 900);
    host.mirror.retry_after = std::chrono::seconds(7'200);
    host.mirror.status = 429;
    check_failed(host.update(), "definitions_mirror_unreachable", "429");
    CHECK(load_memory(*host.root, *host.store).attempts.not_before >= now + 7'200);
    host.mirror.status = 200;
    REQUIRE(host.update().status == Status::candidate);
    CHECK(load_memory(*host.root, *host.store).attempts.failures == 0);
}
