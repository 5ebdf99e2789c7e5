#pragma once
#include <string>
#include <vector>

#include <picket/data/json.h>

namespace picket::data {

struct SchemaProblem {
    std::string pointer; ///< JSON pointer of the value that is wrong; "" = the document
    std::string message; ///< what is wrong and what would be right
};

/// Checks `document` against a JSON Schema (draft-07) by valijson. Empty = valid. A schema that is itself broken is
/// internal: it is compiled in.
Result<std::vector<SchemaProblem>> check_schema(const Json& schema, const Json& document);

} // namespace picket::data
