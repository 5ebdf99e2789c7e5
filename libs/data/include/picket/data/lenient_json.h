#pragma once
#include <string_view>

#include <picket/data/json.h>

namespace picket::data {

/// As parse_json, but a key twice in one object is no error: the last one counts. Only for foreign files whose own
/// reader takes them so.
Result<Json> parse_json_last_counts(std::string_view text, const JsonLimits& limits = {});

} // namespace picket::data
