#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/data/json.h>

namespace picket::profile {

/// A value that fits, or why there is none.
struct Fitted {
    std::optional<data::Json> value;
    std::vector<std::string> said;
    bool changed = false; ///< it is not what stood there
};

/// Each takes the schema of our key, or of the element of our list, and the value that stands in an mdatp_managed.json.
Fitted refuse(std::string why);
Fitted fit(const data::Json& node, const data::Json& theirs, std::string_view remark = "");
Fitted fit_word(const data::Json& node, const data::Json& theirs);
Fitted fit_threat_type(const data::Json& node, const data::Json& theirs);
/// `has_scopes`: an element of exclusionSettings.exclusions.
Fitted fit_exclusion(const data::Json& node, const data::Json& theirs, bool has_scopes);

} // namespace picket::profile
