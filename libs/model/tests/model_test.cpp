#include <doctest/doctest.h>

#include <picket/model/event.h>
#include <picket/model/verdict.h>

using namespace picket;

TEST_CASE("every event type has a name that turns round") {
    for (int i = 0; i <= static_cast<int>(EventType::gate_killed); ++i) {
        const auto type = static_cast<EventType>(i);
        CHECK(to_string(type) != "unknown");
        CHECK(event_type_from(to_string(type)) == type);
    }
    CHECK_FALSE(event_type_from("no.such"));
}

TEST_CASE("names turn round") {
    CHECK(threat_status_from(to_string(ThreatStatus::quarantine_failed)) == ThreatStatus::quarantine_failed);
    CHECK(scan_kind_from("full") == ScanKind::full);
    CHECK(scan_status_from("cancelled") == ScanStatus::cancelled);
    CHECK(event_origin_from("selftest") == EventOrigin::selftest);
    CHECK(to_string(Verdict::limit_exceeded) == "limit_exceeded");
}
