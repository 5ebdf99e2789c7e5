#include <picket/store/store.h>

#include <string_view>

#include "impl.h"

namespace picket::store {
namespace {

constexpr std::string_view kSave =
    "INSERT OR REPLACE INTO scans (id, kind, status, path, started, ended, files_scanned, bytes_scanned, files_failed,"
    " threats_found, message, origin, ignore_exclusions, low_priority, place, position, interruptions)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view kSelect =
    "SELECT id, kind, status, path, started, ended, files_scanned, bytes_scanned, files_failed, threats_found, message,"
    " origin, ignore_exclusions, low_priority, place, position, interruptions"
    " FROM scans ORDER BY started DESC, rowid DESC LIMIT ?";
/// A scan that is not at its end is never dropped: its end would write it again as if it had just begun to be kept.
constexpr std::string_view kDropOldest =
    "DELETE FROM scans WHERE status NOT IN ('running', 'interrupted') AND rowid IN"
    " (SELECT rowid FROM scans ORDER BY started DESC, rowid DESC LIMIT -1 OFFSET ?)";

std::optional<ScanRecord> read_scan(const Database::Statement& row) {
    const auto kind = scan_kind_from(row.bytes(1));
    const auto status = scan_status_from(row.bytes(2));
    const auto origin = scan_origin_from(row.bytes(11));
    if (!kind || !status || !origin)
        return std::nullopt;
    ScanRecord scan;
    scan.id = row.bytes(0);
    scan.kind = *kind;
    scan.status = *status;
    scan.path = row.bytes(3);
    scan.started = from_stored(row.integer(4));
    if (!row.is_null(5))
        scan.ended = from_stored(row.integer(5));
    scan.files_scanned = row.count(6);
    scan.bytes_scanned = row.count(7);
    scan.files_failed = row.count(8);
    scan.threats_found = row.count(9);
    scan.message = row.bytes(10);
    scan.origin = *origin;
    scan.ignore_exclusions = row.integer(12) != 0;
    scan.low_priority = row.integer(13) != 0;
    scan.place = row.bytes(14);
    scan.position = row.bytes(15);
    scan.interruptions = row.count(16);
    return scan;
}

Result<void> save(const Database& database, const ScanRecord& scan) {
    auto statement = PICKET_TRY(database.prepare(kSave));
    statement.bind_text(scan.id).bind_text(to_string(scan.kind)).bind_text(to_string(scan.status));
    statement.bind_bytes(scan.path).bind(to_stored(scan.started));
    if (scan.ended)
        statement.bind(to_stored(*scan.ended));
    else
        statement.bind_null();
    statement.bind(scan.files_scanned).bind(scan.bytes_scanned).bind(scan.files_failed).bind(scan.threats_found);
    statement.bind_bytes(scan.message).bind_text(to_string(scan.origin));
    statement.bind(std::int64_t{scan.ignore_exclusions}).bind(std::int64_t{scan.low_priority});
    return statement.bind_bytes(scan.place).bind_bytes(scan.position).bind(scan.interruptions).run();
}

} // namespace

Result<void> Store::save_scan(const ScanRecord& scan) {
    const std::lock_guard lock(impl_->mutex);
    Transaction transaction = PICKET_TRY(Transaction::begin(impl_->database));
    PICKET_TRY(save(impl_->database, scan));
    auto drop = PICKET_TRY(impl_->database.prepare(kDropOldest));
    PICKET_TRY(drop.bind(impl_->limits.maximum_scans).run());
    return transaction.commit();
}

Result<std::vector<ScanRecord>> Store::scans(std::size_t limit) const {
    const std::lock_guard lock(impl_->mutex);
    auto statement = PICKET_TRY(impl_->database.prepare(kSelect));
    statement.bind(to_limit(limit));
    std::vector<ScanRecord> found;
    while (PICKET_TRY(statement.step()))
        if (auto scan = read_scan(statement))
            found.push_back(std::move(*scan));
    return found;
}

Result<std::vector<ScanRecord>> Store::interrupt_scans() {
    {
        const std::lock_guard lock(impl_->mutex);
        PICKET_TRY(impl_->database.execute("UPDATE scans SET status = 'interrupted', interruptions = interruptions + 1"
                                           " WHERE status = 'running'"));
    }
    std::vector<ScanRecord> found = PICKET_TRY(scans(impl_->limits.maximum_scans));
    std::erase_if(found, [](const ScanRecord& scan) { return scan.status != ScanStatus::interrupted; });
    return found;
}

Result<void> Store::apply_retention(WallTime oldest, std::uint64_t maximum) {
    const std::lock_guard lock(impl_->mutex);
    auto by_age = PICKET_TRY(
        impl_->database.prepare("DELETE FROM scans WHERE status NOT IN ('running', 'interrupted') AND started < ?"));
    PICKET_TRY(by_age.bind(to_stored(oldest)).run());
    auto by_number = PICKET_TRY(impl_->database.prepare(kDropOldest));
    return by_number.bind(maximum).run();
}

} // namespace picket::store
