#include <doctest/doctest.h>

#include "scan_scheduler.h"

using namespace picket;
using namespace picket::daemon;

namespace {

ScanRecord record_of(ScanKind kind, ScanStatus status) {
    ScanRecord record;
    record.kind = kind;
    record.status = status;
    return record;
}

} // namespace

TEST_CASE("a host is warmed up once, and not where a scan has done so") {
    CHECK(needs_warm_up(false, {}));
    CHECK_FALSE(needs_warm_up(true, {}));
    CHECK_FALSE(needs_warm_up(false, {record_of(ScanKind::quick, ScanStatus::finished)}));
    CHECK_FALSE(needs_warm_up(false, {record_of(ScanKind::full, ScanStatus::running)}));
    CHECK_FALSE(needs_warm_up(false, {record_of(ScanKind::quick, ScanStatus::interrupted)})); // it goes on by itself
    CHECK(needs_warm_up(false, {record_of(ScanKind::custom, ScanStatus::finished)})); // one folder is not the host
    CHECK(needs_warm_up(false, {record_of(ScanKind::quick, ScanStatus::cancelled)}));
    CHECK(needs_warm_up(false, {record_of(ScanKind::full, ScanStatus::failed)}));
}
