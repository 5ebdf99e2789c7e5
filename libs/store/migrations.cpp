#include "migrations.h"

#include <array>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <picket/base/text.h>

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
constexpr std::int64_t kVersionsOfAMajor = 1'000;
constexpr std::string_view kAside = "aside_";

Result<std::vector<std::string>> names_of(const Database& database, std::string_view sql) {
    auto rows = PICKET_TRY(database.prepare(sql));
    std::vector<std::string> names;
    while (PICKET_TRY(rows.step()))
        names.push_back(rows.bytes(0));
    return names;
}

Result<std::vector<std::string>> tables_of(const Database& database) {
    return names_of(database,
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE "
                    "'\\' ORDER BY name");
}

std::string quoted(std::string_view name) {
    std::string text = "\"";
    for (const char c : name)
        text += c == '"' ? std::string("\"\"") : std::string(1, c);
    return text + '"';
}

/// Indexes, triggers and views go; the tables wait under another name.
Result<void> set_aside(const Database& database) {
    for (const char* kind : {"trigger", "view", "index"}) {
        const std::string sql =
            fmt::format("SELECT name FROM sqlite_master WHERE type = '{}' AND sql IS NOT NULL", kind);
        for (const std::string& name : PICKET_TRY(names_of(database, sql)))
            PICKET_TRY(database.execute(fmt::format("DROP {} {}", kind, quoted(name))));
    }
    for (const std::string& name : PICKET_TRY(tables_of(database)))
        PICKET_TRY(database.execute(
            fmt::format("ALTER TABLE {} RENAME TO {}", quoted(name), quoted(std::string(kAside) + name))));
    return {};
}

Result<void> run_steps(const Database& database, Migrations steps) {
    for (const Migration& step : steps) {
        PICKET_TRY(database.execute(step.sql));
        if (step.fill != nullptr)
            PICKET_TRY(step.fill(database));
    }
    return {};
}

/// The columns that the new tables have, out of those that were set aside.
Result<void> take_rows(const Database& database) {
    for (const std::string& table : PICKET_TRY(tables_of(database))) {
        if (table.starts_with(kAside))
            continue;
        auto columns = PICKET_TRY(names_of(database, fmt::format("SELECT name FROM pragma_table_info('{}')", table)));
        std::vector<std::string> from; // in quotes alone a name that is not there would be a string
        for (std::string& column : columns) {
            column = quoted(column);
            from.push_back("old." + column);
        }
        PICKET_TRY(
            database.execute(fmt::format("INSERT OR REPLACE INTO {} ({}) SELECT {} FROM {} AS old", quoted(table),
                                         join(columns, ", "), join(from, ", "), quoted(std::string(kAside) + table))));
    }
    for (const std::string& table : PICKET_TRY(tables_of(database)))
        if (table.starts_with(kAside))
            PICKET_TRY(database.execute("DROP TABLE " + quoted(table)));
    return {};
}

Result<void> go_back(const Database& database, Migrations steps) {
    PICKET_TRY(set_aside(database));
    PICKET_TRY(run_steps(database, steps));
    return take_rows(database);
}

} // namespace

Migrations migrations() {
    return kMigrations;
}

Result<void> check_version(const Database& database, const std::string& path, Migrations steps) {
    const std::int64_t version = PICKET_TRY(database.user_version());
    const auto newest = static_cast<std::int64_t>(steps.size());
    if (version < 0 || version / kVersionsOfAMajor > newest / kVersionsOfAMajor)
        return Error(ErrorCode::conflict,
                     fmt::format("{} is of version {}, this program knows up to {} and cannot go back over a major "
                                 "version: it is left as it is; install the newer version again or move the file away",
                                 path, version, newest));
    return {};
}

Result<void> migrate(const Database& database, const std::string& path, Migrations steps) {
    const std::int64_t version = PICKET_TRY(database.user_version());
    const auto newest = static_cast<std::int64_t>(steps.size());
    if (version == newest)
        return {};
    if (version > 0)
        PICKET_TRY(database.copy_to(fmt::format("{}.bak-{}", path, version)));
    Transaction transaction = PICKET_TRY(Transaction::begin(database));
    if (version < newest)
        PICKET_TRY(run_steps(database, steps.subspan(static_cast<std::size_t>(version))));
    else if (const auto back = go_back(database, steps); !back)
        return back.error().code() == ErrorCode::internal
                   ? Error(ErrorCode::conflict, fmt::format("{} is of the newer version {}, and going back to {} "
                                                            "failed: {}",
                                                            path, version, newest, back.error().message()))
                   : back.error();
    PICKET_TRY(database.execute(fmt::format("PRAGMA user_version={}", newest)));
    return transaction.commit();
}

} // namespace picket::store
