#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <thread>

#include <picket/store/store.h>

#include "place.h"

using namespace picket;
using namespace picket::store;
namespace fs = std::filesystem;

namespace {
WallTime at(int seconds) {
    return WallTime(std::chrono::seconds(1'800'000'000 + seconds));
}

Threat threat(const std::string& path, ThreatStatus status, int seconds) {
    Threat result;
    result.name = "Test.Threat-1";
    result.path = path;
    result.sha256 = std::string(64, 'a');
    result.status = status;
    result.first_seen = result.last_seen = at(seconds);
    return result;
}

ScanRecord scan(const std::string& id, ScanStatus status, int seconds) {
    ScanRecord record;
    record.id = id;
    record.status = status;
    record.started = at(seconds);
    return record;
}
} // namespace

TEST_CASE("an event comes back as it was appended, byte for byte, also after a restart") {
    const Place place;
    Event event;
    event.time = WallTime(std::chrono::milliseconds(1'800'000'000'123));
    event.type = EventType::threat_blocked;
    event.origin = EventOrigin::close_write;
    event.path = std::string("/tmp/\xff\0\n'\";--", 13);
    event.process = "/usr/bin/\xfe";
    event.threat_name = "Name";
    event.sha256 = std::string(64, 'b');
    event.threat_id = "0123456789abcdef";
    event.scan_id = "fedcba9876543210";
    event.reason = "deadline";
    event.message = "a message, größer";
    event.count = 7;
    event.pid = 42;
    event.uid = 4'294'967'294;
    event.host_id = std::string(32, 'c');
    event.boot_id = "5b1c1f1e-0000-4000-8000-000000000001";
    event.monotonic_ms = 123'456'789'012;
    const AppendedEvent appended = Store::open(place.file()).value()->append_event(event).value();
    CHECK(appended.sequence == 1);
    const auto store = Store::open(place.file()).value();
    const auto events = store->events({}).value();
    REQUIRE(events.size() == 1);
    const Event& back = events[0];
    CHECK(back.sequence == 1);
    CHECK(back.time == event.time);
    CHECK(back.type == event.type);
    CHECK(back.origin == event.origin);
    CHECK(back.path == event.path);
    CHECK(back.process == event.process);
    CHECK(back.threat_name == event.threat_name);
    CHECK(back.sha256 == event.sha256);
    CHECK(back.threat_id == event.threat_id);
    CHECK(back.scan_id == event.scan_id);
    CHECK(back.reason == event.reason);
    CHECK(back.message == event.message);
    CHECK(back.count == event.count);
    CHECK(back.pid == event.pid);
    CHECK(back.uid == event.uid);
    CHECK(back.host_id == event.host_id);
    CHECK(back.boot_id == event.boot_id);
    CHECK(back.monotonic_ms == event.monotonic_ms);
    CHECK(back.digest == appended.digest);
    CHECK(back.digest.size() == 64);
    CHECK(event_id(back) == event.host_id + "-1");
    CHECK_FALSE(store->recovered_from_corruption());
}

TEST_CASE("events: the newest that match, oldest first") {
    const Place place;
    const auto store = Store::open(place.file()).value();
    CHECK(store->last_sequence() == 0);
    for (int i = 0; i < 10; ++i) {
        Event event;
        event.type = i % 2 == 0 ? EventType::daemon_started : EventType::scan_started;
        REQUIRE(store->append_event(event));
    }
    const auto sequences = [&](const EventQuery& query) {
        std::vector<std::uint64_t> all;
        const auto found = store->events(query).value();
        for (const Event& event : found)
            all.push_back(event.sequence);
        return all;
    };
    CHECK(sequences({0, {}, 3}) == std::vector<std::uint64_t>{8, 9, 10});
    CHECK(sequences({8, {}, 100}) == std::vector<std::uint64_t>{9, 10});
    CHECK(sequences({0, EventType::scan_started, 2}) == std::vector<std::uint64_t>{8, 10});
    CHECK(sequences({10, {}, 100}).empty());
    CHECK(sequences({UINT64_MAX, {}, 100}).empty());
    CHECK(sequences({0, {}, 0}).empty());
    CHECK(store->last_sequence() == 10);
}

TEST_CASE("retention drops the oldest events, counts them, and numbers go on rising") {
    const Place place;
    StoreLimits limits;
    limits.maximum_events = 5;
    {
        const auto store = Store::open(place.file(), limits).value();
        for (std::uint64_t i = 1; i <= 12; ++i)
            CHECK(store->append_event({}).value().sequence == i);
        CHECK(store->dropped_events().all == 7);
        CHECK(store->events({}).value().front().sequence == 8);
    }
    limits.maximum_events = 2;
    const auto store = Store::open(place.file(), limits).value();
    CHECK(store->append_event({}).value().sequence == 13);
    CHECK(store->events({}).value().size() == 2);
    CHECK(store->dropped_events().all == 11);
    limits.maximum_events = 0;
    const auto none = Store::open(place.file("other"), limits).value();
    CHECK(none->append_event({}).value().sequence == 1);
    CHECK(none->append_event({}).value().sequence == 2);
    CHECK(none->last_sequence() == 2);
}

TEST_CASE("a repeated detection is one threat whose count rises and whose status moves on") {
    const Place place;
    const auto store = Store::open(place.file()).value();
    const std::string id = store->record_threat(threat("/a", ThreatStatus::detected, 1)).value();
    CHECK(id.size() == 16);
    CHECK(store->record_threat(threat("/a", ThreatStatus::blocked, 2)).value() == id);
    CHECK(store->record_threat(threat("/a", ThreatStatus::detected, 3)).value() == id);
    Threat one = store->threat(id).value();
    CHECK(one.count == 3);
    CHECK(one.status == ThreatStatus::blocked);
    CHECK(one.first_seen == at(1));
    CHECK(one.last_seen == at(3));
    REQUIRE(store->set_threat_status(id, ThreatStatus::quarantined, "q1"));
    CHECK(store->record_threat(threat("/a", ThreatStatus::blocked, 4)).value() == id);
    one = store->threat(id).value();
    CHECK(one.status == ThreatStatus::quarantined);
    CHECK(one.quarantine_id == "q1");
    CHECK(store->record_threat(threat("/b", ThreatStatus::blocked, 5)).value() != id);
    CHECK(store->threats().value().size() == 2);
    CHECK(store->threats().value()[0].path == "/b");
    CHECK(store->threats(1).value().size() == 1);
}

TEST_CASE("a threat that was restored or allowed is closed: the next detection begins a new one") {
    const Place place;
    const auto store = Store::open(place.file()).value();
    const std::string first = store->record_threat(threat("/a", ThreatStatus::blocked, 1)).value();
    REQUIRE(store->set_threat_status(first, ThreatStatus::restored, ""));
    const std::string second = store->record_threat(threat("/a", ThreatStatus::blocked, 2)).value();
    CHECK(second != first);
    const std::string allowed = store->record_threat(threat("/a", ThreatStatus::allowed, 3)).value();
    CHECK(allowed != second);
    CHECK(store->record_threat(threat("/a", ThreatStatus::allowed, 4)).value() == allowed);
    CHECK(store->threat(allowed)->count == 2);
    CHECK(store->threat(second)->count == 1);
}

TEST_CASE("threats: unknown ids are not_found, an id of the caller is kept, the oldest go first") {
    const Place place;
    StoreLimits limits;
    limits.maximum_threats = 3;
    const auto store = Store::open(place.file(), limits).value();
    CHECK(store->threat("no").error().code() == ErrorCode::not_found);
    CHECK(store->set_threat_status("no", ThreatStatus::allowed, "").error().code() == ErrorCode::not_found);
    Threat own = threat("/own\xff", ThreatStatus::blocked, 1);
    own.id = "00000000000000ff";
    CHECK(store->record_threat(own).value() == own.id);
    CHECK(store->threat(own.id)->path == own.path);
    for (int i = 2; i <= 4; ++i)
        REQUIRE(store->record_threat(threat("/t" + std::to_string(i), ThreatStatus::blocked, i)));
    CHECK(store->threats().value().size() == 3);
    CHECK(store->threat(own.id).error().code() == ErrorCode::not_found);
}

TEST_CASE("scans are saved, replaced, listed newest first, failed and dropped by age") {
    const Place place;
    StoreLimits limits;
    limits.maximum_scans = 3;
    const auto store = Store::open(place.file(), limits).value();
    ScanRecord record = scan("s1", ScanStatus::running, 1);
    record.path = "/p\xff";
    REQUIRE(store->save_scan(record));
    record.status = ScanStatus::finished;
    record.ended = at(9);
    record.files_scanned = 5;
    record.bytes_scanned = 1ULL << 40;
    record.threats_found = 1;
    record.files_failed = 2;
    record.origin = ScanOrigin::scheduled;
    record.ignore_exclusions = true;
    record.place = "/p\xff";
    record.position = "/p\xff/x";
    REQUIRE(store->save_scan(record));
    REQUIRE(store->save_scan(scan("s2", ScanStatus::running, 2)));
    const auto scans = store->scans().value();
    REQUIRE(scans.size() == 2);
    CHECK(scans[0].id == "s2");
    CHECK_FALSE(scans[0].ended.has_value());
    CHECK(scans[1].path == "/p\xff");
    CHECK(scans[1].ended == at(9));
    CHECK(scans[1].bytes_scanned == 1ULL << 40);
    CHECK(scans[1].origin == ScanOrigin::scheduled);
    CHECK(scans[1].ignore_exclusions);
    CHECK_FALSE(scans[1].low_priority);
    CHECK(scans[1].place == "/p\xff");
    CHECK(scans[1].position == "/p\xff/x");
    for (int round = 0; round < 2; ++round) { // what is interrupted stays so until it goes on
        const auto interrupted = store->interrupt_scans().value();
        REQUIRE(interrupted.size() == 1);
        CHECK(interrupted[0].id == "s2");
        CHECK(interrupted[0].status == ScanStatus::interrupted);
        CHECK(interrupted[0].interruptions == 1);
    }
    REQUIRE(store->save_scan(scan("s2", ScanStatus::finished, 2)));
    for (int i = 3; i <= 6; ++i)
        REQUIRE(store->save_scan(scan("s" + std::to_string(i), ScanStatus::finished, i)));
    CHECK(store->scans().value().size() == 3);
    REQUIRE(store->apply_retention(at(5), 3));
    CHECK(store->scans().value().size() == 2);
    REQUIRE(store->apply_retention(at(0), 1));
    REQUIRE(store->scans().value().size() == 1);
    CHECK(store->scans().value()[0].id == "s6");
}

TEST_CASE("named values survive a restart and do not meet the store's own") {
    const Place place;
    {
        const auto store = Store::open(place.file()).value();
        CHECK_FALSE(store->value("x").value().has_value());
        REQUIRE(store->set_value("x", std::string("a\0b", 3)));
        REQUIRE(store->set_value("dropped_events", "77"));
        CHECK(store->dropped_events().all == 0);
    }
    CHECK(Store::open(place.file()).value()->value("x").value() == std::string("a\0b", 3));
}

TEST_CASE("all files of the store are for their owner alone") {
    const Place place;
    const mode_t before = umask(0);
    const auto store = Store::open(place.path / "new/state.db").value();
    umask(before);
    REQUIRE(store->append_event({}));
    struct stat status {};
    REQUIRE(stat((place.path / "new").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(place.path / "new")) {
        REQUIRE(stat(entry.path().c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 0600);
        ++files;
    }
    CHECK(files == 3); // with its log and the log's index
}

TEST_CASE("threads may use one store at the same time") {
    const Place place;
    const auto store = Store::open(place.file()).value();
    constexpr int kThreads = 6;
    constexpr int kEach = 25;
    std::vector<std::set<std::uint64_t>> sequences(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                sequences[static_cast<std::size_t>(t)].insert(store->append_event({}).value().sequence);
                (void)store->record_threat(threat("/same", ThreatStatus::blocked, i)).value();
                (void)store->events({}).value();
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    std::set<std::uint64_t> all;
    for (const auto& some : sequences)
        all.insert(some.begin(), some.end());
    CHECK(all.size() == kThreads * kEach);
    CHECK(store->threats().value().size() == 1);
    CHECK(store->threats().value()[0].count == kThreads * kEach);
}

TEST_CASE("ids are 16 hexadecimal digits and differ") {
    std::set<std::string> ids;
    for (int i = 0; i < 1'000; ++i)
        ids.insert(new_id());
    CHECK(ids.size() == 1'000);
    CHECK(ids.begin()->size() == 16);
    CHECK(ids.begin()->find_first_not_of("0123456789abcdef") == std::string::npos);
}
