#include <doctest/doctest.h>

#include <filesystem>
#include <functional>

#include <fmt/format.h>
#include <picket/store/store.h>

#include "migrations.h"
#include "place.h"

using namespace picket;
using namespace picket::store;
namespace fs = std::filesystem;

namespace {

Event event(const std::string& path) {
    Event made;
    made.type = EventType::threat_blocked;
    made.host_id = std::string(32, 'a');
    made.path = path;
    made.time = WallTime(std::chrono::seconds(1'800'000'000));
    return made;
}

/// A store with the events 1 to `count`, of which the last `kept` are there.
void fill(const Place& place, int count, std::uint64_t kept = 1'000) {
    const auto store = Store::open(place.file(), {.maximum_events = kept}).value();
    for (int i = 1; i <= count; ++i)
        REQUIRE(store->append_event(event(fmt::format("/file-{}", i))));
}

void tamper(const Place& place, const std::string& sql) {
    REQUIRE(Database::open(place.file())->execute(sql));
}

/// "reason@sequence: message", or "whole".
std::string verdict(const Place& place) {
    const EventCheck check = Store::open(place.file(), {.maximum_events = 1'000}).value()->verify_events().value();
    if (!check.fault)
        return "whole";
    return fmt::format("{}@{}: {}", check.fault->reason, check.fault->sequence, check.fault->message);
}

std::string verdict_after(const std::string& sql, std::uint64_t kept = 1'000) {
    const Place place;
    fill(place, 20, kept);
    REQUIRE(verdict(place) == "whole");
    tamper(place, sql);
    return verdict(place);
}

const std::string kSwap = "UPDATE events SET sequence = -1 WHERE sequence = 7;"
                          "UPDATE events SET sequence = 7 WHERE sequence = 12;"
                          "UPDATE events SET sequence = 12 WHERE sequence = -1;";

/// A database as the first released schema left it.
void make_version_1(const Place& place) {
    REQUIRE(create_private_file(place.file()));
    const Database database = Database::open(place.file()).value();
    REQUIRE(database.make_durable());
    REQUIRE(migrate(database, place.file(), migrations().first(1)));
    for (int i = 1; i <= 5; ++i)
        REQUIRE(database.execute(fmt::format("INSERT INTO events (time, type, origin, path, threat_name, sha256, "
                                             "threat_id, scan_id, reason, message, count, pid, process, uid) VALUES "
                                             "({}, 'threat.blocked', 'real_time', x'2fff0a', 'T', '', '', '', '', "
                                             "x'', 0, 0, x'', -1)",
                                             i * 1'000'000)));
    REQUIRE(database.execute("DELETE FROM events WHERE sequence <= 2;"
                             "INSERT INTO facts VALUES (CAST('dropped_events' AS BLOB), CAST('2' AS BLOB))"));
}

} // namespace

TEST_CASE("the chain is whole after appends, restarts and retention, and says what it looked at") {
    const Place place;
    fill(place, 30, 10);
    fill(place, 5, 10);
    const auto store = Store::open(place.file(), {.maximum_events = 10}).value();
    const EventCheck check = store->verify_events().value();
    CHECK_FALSE(check.fault);
    CHECK(check.checked == 10);
    CHECK(check.first == 26);
    CHECK(check.last == 35);
    CHECK(store->dropped_events().all == 25);
    const Place empty;
    CHECK(verdict(empty) == "whole");
    const Place none;
    fill(none, 3, 0);
    CHECK(verdict(none) == "whole");
}

TEST_CASE("whatever is changed, removed, reordered or cut off is named") {
    CHECK(verdict_after("UPDATE events SET path = CAST('/file-8' AS BLOB) WHERE sequence = 7") ==
          "changed@7: event 7 is not as it was recorded");
    CHECK(verdict_after("UPDATE events SET time = time + 1 WHERE sequence = 1").starts_with("changed@1:"));
    CHECK(verdict_after("UPDATE events SET digest = x'00' WHERE sequence = 20").starts_with("changed@20:"));
    CHECK(verdict_after("DELETE FROM events WHERE sequence = 7") == "missing@7: event 7 is missing");
    CHECK(verdict_after("DELETE FROM events WHERE sequence IN (3, 4)") == "missing@3: events 3 to 4 are missing");
    CHECK(verdict_after("DELETE FROM events WHERE sequence = 1") == "missing@1: event 1 is missing");
    CHECK(verdict_after(kSwap).starts_with("changed@7:"));
    CHECK(verdict_after("DELETE FROM events WHERE sequence > 17") == "missing@18: events 18 to 20 are missing");
    CHECK(verdict_after("DELETE FROM events") == "missing@1: events 1 to 20 are missing");
    CHECK(verdict_after("INSERT INTO events SELECT 21, time, type, origin, path, threat_name, sha256, threat_id, "
                        "scan_id, reason, message, count, pid, process, uid, host_id, boot_id, monotonic_ms, digest "
                        "FROM events WHERE sequence = 20")
              .starts_with("added@21:"));
}

TEST_CASE("every field of an event is covered by its digest") {
    const Place place;
    fill(place, 1);
    const Database database = Database::open(place.file()).value();
    auto columns = database.prepare("SELECT name FROM pragma_table_info('events')").value();
    std::vector<std::string> names;
    while (columns.step().value())
        names.push_back(columns.bytes(0));
    CHECK(names.size() == 19);
    for (const std::string& name : names) {
        CAPTURE(name);
        const std::string alter = name == "type"     ? "'threat.detected'"
                                  : name == "origin" ? "'scan'"
                                                     : fmt::format("CAST({} || '1' AS BLOB)", name);
        if (name != "sequence")
            CHECK(verdict_after(fmt::format("UPDATE events SET {} = {} WHERE sequence = 5", name, alter))
                      .starts_with("changed@5:"));
    }
}

TEST_CASE("what retention dropped is no gap, and what is removed beside it is one") {
    CHECK(verdict_after("DELETE FROM events WHERE sequence = 11", 10) == "missing@11: event 11 is missing");
    CHECK(verdict_after("DELETE FROM events WHERE sequence = 11; UPDATE event_chain SET anchor_sequence = 11", 10)
              .starts_with("count@11:"));
    CHECK(verdict_after("DELETE FROM events WHERE sequence = 11;"
                        "UPDATE event_chain SET anchor_sequence = 11, dropped = 11",
                        10)
              .starts_with("changed@12:"));
    CHECK(verdict_after("UPDATE event_chain SET dropped = 9", 10).starts_with("count@10:"));
}

TEST_CASE("without its facts the chain is not whole, until what was kept then has gone") {
    const Place place;
    fill(place, 20, 10);
    tamper(place, "DELETE FROM event_chain");
    CHECK(verdict(place) == "chain@20: the record of the newest and the oldest event was gone after event 20");
    CHECK(verdict(place).starts_with("chain@20:"));
    fill(place, 5, 10);
    CHECK(verdict(place).starts_with("chain@20:"));
    fill(place, 10, 10);
    CHECK(verdict(place) == "whole");
    CHECK(Store::open(place.file())->get()->last_sequence() == 35);
    CHECK(verdict_after("DELETE FROM events; DELETE FROM event_chain; DELETE FROM facts").starts_with("chain@20:"));
}

TEST_CASE("an end that was cut off stays named when events follow, and they are recorded all the same") {
    const Place place;
    fill(place, 20);
    tamper(place, "DELETE FROM events WHERE sequence > 17; UPDATE sqlite_sequence SET seq = 17");
    fill(place, 3);
    CHECK(verdict(place) == "missing@18: events 18 to 20 are missing");
    CHECK(Store::open(place.file())->get()->events({}).value().back().sequence == 23);
    const Place stuffed;
    fill(stuffed, 3);
    tamper(stuffed, "UPDATE events SET sequence = 4 WHERE sequence = 3");
    fill(stuffed, 2);
    CHECK(verdict(stuffed) == "missing@3: event 3 is missing");
}

TEST_CASE("a database of the schema before is upgraded: copied, chained, its drop count kept") {
    const Place place;
    make_version_1(place);
    {
        const auto store = Store::open(place.file()).value();
        const auto events = store->events({}).value();
        REQUIRE(events.size() == 3);
        CHECK(events[0].sequence == 3);
        CHECK(events[0].path == "/\xff\n");
        CHECK(events[0].host_id.empty());
        CHECK(events[0].digest.size() == 64);
        CHECK(event_id(events[0]).empty());
        CHECK(store->dropped_events().all == 2);
        CHECK(store->append_event(event("/new")).value().sequence == 6);
    }
    CHECK(verdict(place) == "whole");
    const Database copy = Database::open(place.file() + ".bak-1").value();
    CHECK(copy.user_version().value() == 1);
    auto rows = copy.prepare("SELECT count(*) FROM events").value();
    REQUIRE(rows.step().value());
    CHECK(rows.integer(0) == 3);
    tamper(place, "UPDATE events SET threat_name = 'U' WHERE sequence = 4");
    CHECK(verdict(place).starts_with("changed@4:"));
}

TEST_CASE("acknowledged events rise only, survive a restart, and what goes before it is counted apart") {
    const Place place;
    {
        const auto store = Store::open(place.file(), {.maximum_events = 5}).value();
        CHECK(store->acknowledged() == 0);
        for (int i = 0; i < 7; ++i)
            REQUIRE(store->append_event(event("/a")));
        CHECK(store->dropped_events().unacknowledged == 2);
        CHECK(store->acknowledge(8).error().code() == ErrorCode::invalid_input);
        REQUIRE(store->acknowledge(5));
        REQUIRE(store->acknowledge(4));
        CHECK(store->acknowledged() == 5);
    }
    const auto store = Store::open(place.file(), {.maximum_events = 5}).value();
    CHECK(store->acknowledged() == 5);
    for (int i = 0; i < 4; ++i)
        REQUIRE(store->append_event(event("/a")));
    CHECK(store->dropped_events().all == 6);
    CHECK(store->dropped_events().unacknowledged == 3);
    CHECK_FALSE(store->verify_events()->fault);
}

TEST_CASE("events can be verified while they are appended") {
    const Place place;
    fill(place, 500);
    const auto store = Store::open(place.file(), {.maximum_events = 400}).value();
    for (int i = 0; i < 50; ++i) {
        REQUIRE(store->append_event(event("/more")));
        CHECK_FALSE(store->verify_events()->fault);
    }
}
