#pragma once
#include <map>
#include <string>
#include <string_view>

#include <picket/data/json.h>

namespace picket::data {

struct Position {
    int line = 0; ///< from 1; 0 = unknown
    int column = 0;
};

/// A document with the place of each value, keyed by JSON pointer ("/antivirusEngine/exclusions/0").
struct LocatedDocument {
    Json value;
    std::map<std::string, Position> positions;
};

/// YAML 1.2 core types (quoted scalars stay strings; true/false, integers, floats, null). Anchors, aliases and merge
/// keys (<<, what is said itself wins) are resolved within JsonLimits (an alias bomb is invalid_input). JSON is YAML:
/// it gets positions here too. A key twice in one mapping is invalid_input; the message names line and column.
Result<LocatedDocument> parse_yaml(std::string_view text, const JsonLimits& limits = {});

} // namespace picket::data
