#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <picket/base/result.h>

#include "database.h"

namespace picket::store {

/// Rows of the table facts. Names of callers carry a prefix, so that they never meet our own.
Result<void> write_fact(const Database& database, std::string_view key, std::string_view value);
Result<std::optional<std::string>> read_fact(const Database& database, std::string_view key);
Result<void> erase_fact(const Database& database, std::string_view key);
Result<std::uint64_t> read_number(const Database& database, std::string_view key); ///< 0 where there is none

} // namespace picket::store
