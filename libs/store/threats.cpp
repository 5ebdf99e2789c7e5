#include <picket/store/store.h>

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "impl.h"

namespace picket::store {
namespace {

constexpr const char* kColumns =
    "id, name, path, sha256, status, origin, first_seen, last_seen, count, quarantine_id, definitions";
constexpr std::string_view kUpdate = "UPDATE threats SET status = ?, first_seen = min(first_seen, ?),"
                                     " last_seen = max(last_seen, ?), count = count + ?, quarantine_id = ?,"
                                     " definitions = ? WHERE id = ?";
constexpr std::string_view kDropOldest =
    "DELETE FROM threats WHERE number IN (SELECT number FROM threats ORDER BY last_seen, number LIMIT ?)";

/// How far a detection has come; a repeated one never goes back.
int progress(ThreatStatus status) {
    switch (status) {
    case ThreatStatus::detected:
        return 0;
    case ThreatStatus::blocked:
        return 1;
    case ThreatStatus::quarantine_failed:
        return 2;
    case ThreatStatus::quarantined:
        return 3;
    case ThreatStatus::restored:
    case ThreatStatus::allowed:
        return 4;
    }
    return 0;
}

bool is_resolved(ThreatStatus status) {
    return status == ThreatStatus::restored || status == ThreatStatus::allowed;
}

std::optional<Threat> read_threat(const Database::Statement& row) {
    const auto status = threat_status_from(row.bytes(4));
    const auto origin = event_origin_from(row.bytes(5));
    if (!status || !origin)
        return std::nullopt;
    Threat threat;
    threat.id = row.bytes(0);
    threat.name = row.bytes(1);
    threat.path = row.bytes(2);
    threat.sha256 = row.bytes(3);
    threat.status = *status;
    threat.origin = *origin;
    threat.first_seen = from_stored(row.integer(6));
    threat.last_seen = from_stored(row.integer(7));
    threat.count = row.count(8);
    threat.quarantine_id = row.bytes(9);
    threat.definitions = row.bytes(10);
    return threat;
}

/// The row that a new detection belongs to: the open one, or for what is let through the row that says so.
Result<std::optional<Threat>> find_row(const Database& database, const Threat& threat) {
    auto statement = PICKET_TRY(database.prepare(fmt::format(
        "SELECT {} FROM threats WHERE sha256 = ? AND path = ? AND name = ? ORDER BY number DESC", kColumns)));
    statement.bind_text(threat.sha256).bind_bytes(threat.path).bind_text(threat.name);
    while (PICKET_TRY(statement.step())) {
        auto row = read_threat(statement);
        if (row && (is_resolved(threat.status) ? row->status == threat.status : !is_resolved(row->status)))
            return row;
    }
    return std::optional<Threat>();
}

Result<std::string> update(const Database& database, const Threat& row, const Threat& threat) {
    const ThreatStatus status = progress(threat.status) > progress(row.status) ? threat.status : row.status;
    auto statement = PICKET_TRY(database.prepare(kUpdate));
    statement.bind_text(to_string(status)).bind(to_stored(threat.first_seen)).bind(to_stored(threat.last_seen));
    statement.bind(std::max<std::uint64_t>(threat.count, 1));
    statement.bind_text(threat.quarantine_id.empty() ? row.quarantine_id : threat.quarantine_id);
    statement.bind_text(threat.definitions.empty() ? row.definitions : threat.definitions).bind_text(row.id);
    PICKET_TRY(statement.run());
    return row.id;
}

Result<std::string> insert(const Database& database, const Threat& threat) {
    const std::string id = threat.id.empty() ? new_id() : threat.id;
    auto statement = PICKET_TRY(
        database.prepare(fmt::format("INSERT INTO threats ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kColumns)));
    statement.bind_text(id).bind_text(threat.name).bind_bytes(threat.path).bind_text(threat.sha256);
    statement.bind_text(to_string(threat.status)).bind_text(to_string(threat.origin));
    statement.bind(to_stored(threat.first_seen)).bind(to_stored(threat.last_seen));
    statement.bind(std::max<std::uint64_t>(threat.count, 1));
    statement.bind_text(threat.quarantine_id).bind_text(threat.definitions);
    PICKET_TRY(statement.run());
    return id;
}

Error no_such_threat(const std::string& id) {
    return Error(ErrorCode::not_found, fmt::format("no threat has the id {}", escape_for_display(id)));
}

} // namespace

Result<std::string> Store::record_threat(const Threat& threat) {
    const std::lock_guard lock(impl_->mutex);
    Transaction transaction = PICKET_TRY(Transaction::begin(impl_->database));
    const auto row = PICKET_TRY(find_row(impl_->database, threat));
    const std::string id =
        row ? PICKET_TRY(update(impl_->database, *row, threat)) : PICKET_TRY(insert(impl_->database, threat));
    std::uint64_t count = impl_->threat_count + (row ? 0 : 1);
    if (count > impl_->limits.maximum_threats) {
        auto drop = PICKET_TRY(impl_->database.prepare(kDropOldest));
        PICKET_TRY(drop.bind(count - impl_->limits.maximum_threats).run());
        count -= static_cast<std::uint64_t>(impl_->database.changes());
    }
    PICKET_TRY(transaction.commit());
    impl_->threat_count = count;
    return id;
}

Result<void> Store::set_threat_status(const std::string& id, ThreatStatus status, const std::string& quarantine_id) {
    const std::lock_guard lock(impl_->mutex);
    auto statement =
        PICKET_TRY(impl_->database.prepare("UPDATE threats SET status = ?, quarantine_id = ? WHERE id = ?"));
    PICKET_TRY(statement.bind_text(to_string(status)).bind_text(quarantine_id).bind_text(id).run());
    return impl_->database.changes() == 0 ? Result<void>(no_such_threat(id)) : Result<void>();
}

Result<std::vector<Threat>> Store::threats(std::size_t limit) const {
    const std::lock_guard lock(impl_->mutex);
    auto statement = PICKET_TRY(impl_->database.prepare(
        fmt::format("SELECT {} FROM threats ORDER BY last_seen DESC, number DESC LIMIT ?", kColumns)));
    statement.bind(to_limit(limit));
    std::vector<Threat> found;
    while (PICKET_TRY(statement.step()))
        if (auto threat = read_threat(statement))
            found.push_back(std::move(*threat));
    return found;
}

Result<Threat> Store::threat(const std::string& id) const {
    const std::lock_guard lock(impl_->mutex);
    auto statement = PICKET_TRY(impl_->database.prepare(fmt::format("SELECT {} FROM threats WHERE id = ?", kColumns)));
    statement.bind_text(id);
    if (PICKET_TRY(statement.step()))
        if (auto threat = read_threat(statement))
            return std::move(*threat);
    return no_such_threat(id);
}

} // namespace picket::store
