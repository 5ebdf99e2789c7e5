#pragma once
#include <functional>
#include <string>

#include <picket/data/json.h>
#include <picket/profile/schema.h>

namespace picket::profile {

/// What is wrong with one value, before it is known where in a file that is.
struct Finding {
    std::string pointer;
    std::string message;
    std::string suggestion;
};

/// Walks a document along the schema and tells everything that is wrong in words that help. `report` returns false to
/// stop. It knows the part of draft-07 that our schema uses; a formal check by data::check_schema follows it.
void walk(const data::Json& document, Layer layer, const std::function<bool(Finding)>& report);

/// The same for one value and the schema of its key.
void walk_value(const data::Json& node, const data::Json& value, const std::string& pointer,
                const std::function<bool(Finding)>& report);

/// A value as a message shows it: short, one line, safe to show.
std::string shown(const data::Json& value);

} // namespace picket::profile
