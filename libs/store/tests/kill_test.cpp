#include <doctest/doctest.h>

#include <filesystem>

#include <fmt/format.h>
#include <picket/base/check.h>
#include <picket/base/testing/kill_points.h>
#include <picket/store/store.h>

#include "migrations.h"
#include "place.h"

using namespace picket;
using namespace picket::store;
using testing::Acknowledge;
using testing::KilledRun;

namespace {

constexpr std::uint64_t kRecords = 3;

/// Three records of each kind; the number of each is told once the store has answered. Retention is part of it.
void record_everything(const std::string& file, const Acknowledge& acknowledge) {
    const auto store = Store::open(file, {.maximum_events = 2});
    PICKET_CHECK(store.has_value());
    for (std::uint64_t i = 1; i <= kRecords; ++i) {
        Event event;
        event.path = fmt::format("/event-{}", i);
        PICKET_CHECK((*store)->append_event(event).has_value());
        acknowledge(i);
        Threat threat;
        threat.path = fmt::format("/threat-{}", i);
        PICKET_CHECK((*store)->record_threat(threat).has_value());
        acknowledge(100 + i);
        ScanRecord scan;
        scan.id = fmt::format("{:016}", i);
        PICKET_CHECK((*store)->save_scan(scan).has_value());
        acknowledge(200 + i);
    }
}

std::uint64_t number_of(const std::vector<std::uint64_t>& acknowledged, std::uint64_t kind) {
    std::uint64_t count = 0;
    for (const std::uint64_t number : acknowledged)
        count += number / 100 == kind ? 1 : 0;
    return count;
}

void check_records(const std::string& file, const KilledRun& run) {
    CAPTURE(run.calls);
    const auto opened = Store::open(file, {.maximum_events = 2});
    REQUIRE(opened);
    const Store& store = **opened;
    CHECK_FALSE(store.recovered_from_corruption());
    CHECK_FALSE(store.verify_events().value().fault);
    CHECK(store.last_sequence() >= number_of(run.acknowledged, 0));
    CHECK(store.threats().value().size() >= number_of(run.acknowledged, 1));
    CHECK(store.scans().value().size() >= number_of(run.acknowledged, 2));
    CHECK((!run.finished || run.acknowledged.size() == 3 * kRecords));
}

void make_old_database(const std::string& file) {
    REQUIRE(create_private_file(file));
    const Database database = Database::open(file).value();
    REQUIRE(migrate(database, file, migrations().first(1)));
    for (int i = 1; i <= 3; ++i)
        REQUIRE(database.execute("INSERT INTO events (time, type, origin, path, threat_name, sha256, threat_id, "
                                 "scan_id, reason, message, count, pid, process, uid) VALUES (0, 'selftest', "
                                 "'selftest', x'', '', '', '', '', '', x'', 0, 0, x'', -1)"));
}

} // namespace

TEST_CASE("killed at any system call, the store opens and has everything that was acknowledged") {
    const Place place(fast_directory());
    const std::size_t kills = testing::kill_at_every_call(
        5, [&] { place.empty(); },
        [&](const Acknowledge& acknowledge) { record_everything(place.file(), acknowledge); },
        [&](const KilledRun& run) { check_records(place.file(), run); });
    if (kills == 0)
        MESSAGE("skipped: processes cannot be traced here");
    CHECK((kills == 0 || kills > 50));
}

TEST_CASE("killed at any system call of an upgrade, the old events are there, chained, and the next start ends it") {
    const Place place(fast_directory());
    const std::size_t kills = testing::kill_at_every_call(
        1,
        [&] {
            place.empty();
            make_old_database(place.file());
        },
        [&](const Acknowledge&) { PICKET_CHECK(Store::open(place.file()).has_value()); },
        [&](const KilledRun& run) {
            CAPTURE(run.calls);
            const auto store = Store::open(place.file());
            REQUIRE(store);
            CHECK_FALSE((*store)->recovered_from_corruption());
            CHECK((*store)->events({}).value().size() == 3);
            CHECK_FALSE((*store)->verify_events().value().fault);
            CHECK(Database::open(place.file() + ".bak-1")->user_version().value() == 1);
        });
    if (kills == 0)
        MESSAGE("skipped: processes cannot be traced here");
    CHECK((kills == 0 || kills > 50));
}
