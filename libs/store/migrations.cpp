#include "migrations.h"

#include <array>

#include <fmt/format.h>

#include "chain.h"

namespace picket::store {
namespace {

// Paths, process names and messages are blobs: they come from file names, which are bytes. Times are nanoseconds.
constexpr const char* kTables = R"sql(
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL, type TEXT NOT NULL, origin TEXT NOT NULL,
  path BLOB NOT NULL, threat_name TEXT NOT NULL, sha256 TEXT NOT NULL, threat_id TEXT NOT NULL, scan_id TEXT NOT NULL,
  reason TEXT NOT NULL, message BLOB NOT NULL, count INTEGER NOT NULL, pid INTEGER NOT NULL, process BLOB NOT NULL,
  uid INTEGER NOT NULL);
CREATE INDEX events_by_type ON events (type, sequence);
CREATE TABLE threats (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, path BLOB NOT NULL, sha256 TEXT NOT NULL, status TEXT NOT NULL,
  origin TEXT NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, count INTEGER NOT NULL,
  quarantine_id TEXT NOT NULL, definitions TEXT NOT NULL);
CREATE INDEX threats_by_content ON threats (sha256, path, name);
CREATE INDEX threats_by_time ON threats (last_seen, number);
CREATE TABLE scans (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, status TEXT NOT NULL, path BLOB NOT NULL, started INTEGER NOT NULL,
  ended INTEGER, files_scanned INTEGER NOT NULL, bytes_scanned INTEGER NOT NULL, files_failed INTEGER NOT NULL,
  threats_found INTEGER NOT NULL, message BLOB NOT NULL);
CREATE INDEX scans_by_time ON scans (started);
CREATE TABLE facts (key TEXT PRIMARY KEY, value BLOB NOT NULL);
)sql";

constexpr const char* kEventChain = R"sql(
ALTER TABLE events ADD COLUMN host_id TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN monotonic_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN digest BLOB NOT NULL DEFAULT x'';
CREATE TABLE event_chain (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  base INTEGER NOT NULL, anchor_sequence INTEGER NOT NULL, anchor_digest BLOB NOT NULL,
  head_sequence INTEGER NOT NULL, head_digest BLOB NOT NULL, dropped INTEGER NOT NULL,
  dropped_unacknowledged INTEGER NOT NULL, acknowledged INTEGER NOT NULL, rebuilt_after INTEGER NOT NULL);
)sql";

constexpr const char* kResumableScans = R"sql(
ALTER TABLE scans ADD COLUMN origin TEXT NOT NULL DEFAULT 'manual';
ALTER TABLE scans ADD COLUMN ignore_exclusions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scans ADD COLUMN low_priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scans ADD COLUMN place BLOB NOT NULL DEFAULT x'';
ALTER TABLE scans ADD COLUMN position BLOB NOT NULL DEFAULT x'';
ALTER TABLE scans ADD COLUMN interruptions INTEGER NOT NULL DEFAULT 0;
)sql";

constexpr std::array<Migration, 3> kMigrations = {{{kTables}, {kEventChain, begin_chain}, {kResumableScans}}};

} // namespace

Migrations migrations() {
    return kMigrations;
}

Result<void> check_version(const Database& database, const std::string& path, Migrations steps) {
    const std::int64_t version = PICKET_TRY(database.user_version());
    const auto newest = static_cast<std::int64_t>(steps.size());
    if (version > newest || version < 0)
        return Error(ErrorCode::conflict,
                     fmt::format("{} is of version {}, this program knows up to {}: it is left as it "
                                 "is; install the newer version again or move the file away",
                                 path, version, newest));
    return {};
}

Result<void> migrate(const Database& database, const std::string& path, Migrations steps) {
    const std::int64_t version = PICKET_TRY(database.user_version());
    const auto newest = static_cast<std::int64_t>(steps.size());
    if (version >= newest)
        return {};
    if (version > 0)
        PICKET_TRY(database.copy_to(fmt::format("{}.bak-{}", path, version)));
    Transaction transaction = PICKET_TRY(Transaction::begin(database));
    for (const Migration& step : steps.subspan(static_cast<std::size_t>(version))) {
        PICKET_TRY(database.execute(step.sql));
        if (step.fill != nullptr)
            PICKET_TRY(step.fill(database));
    }
    PICKET_TRY(database.execute(fmt::format("PRAGMA user_version={}", newest)));
    return transaction.commit();
}

} // namespace picket::store
