#pragma once
#include <span>
#include <string>

#include <picket/base/result.h>

#include "database.h"

namespace picket::store {

struct Migration {
    const char* sql;
    Result<void> (*fill)(const Database&) = nullptr; ///< what SQL cannot say; after `sql`
};
/// migrations[n] takes a database of version n to version n + 1; version 0 is an empty file.
using Migrations = std::span<const Migration>;
/// Of this build.
Migrations migrations();

/// Conflict where the database is newer than `steps`: then it must stay as it is.
Result<void> check_version(const Database& database, const std::string& path, Migrations steps);
/// Brings the database to the version that `steps` end in, in one transaction. One that
/// is not new is copied to `path`.bak-VERSION first. check_version() comes before it.
Result<void> migrate(const Database& database, const std::string& path, Migrations steps);

} // namespace picket::store
