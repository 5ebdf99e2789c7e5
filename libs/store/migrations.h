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
/// migrations[n] takes a database of version n to version n + 1; version 0 is an empty file. Versions of the same
/// thousand are of one major version: in it a migration only adds (tables, columns with a default), and an event's
/// digest covers the same columns. So an older program finds all that it knows in a newer database.
using Migrations = std::span<const Migration>;
/// Of this build.
Migrations migrations();

/// Conflict where the database is of a newer major version than `steps`: then it must stay as it is.
Result<void> check_version(const Database& database, const std::string& path, Migrations steps);
/// Brings the database to the version that `steps` end in, in one transaction. One that is not new is copied to
/// `path`.bak-VERSION first. From a newer version it goes back: every row stays, without what that version added; where
/// that cannot be done it is conflict, and nothing has changed. check_version() comes before it.
Result<void> migrate(const Database& database, const std::string& path, Migrations steps);

} // namespace picket::store
