#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/result.h>
#include <picket/data/json.h>
#include <picket/profile/schema.h>

namespace picket::profile {

/// A name of `picket config` and the key behind it. Two names look at the enforcement level from one side only.
struct Setting {
    std::string name;
    const KeyInfo* key = nullptr;

    /// How the key's value is shown under this name: words, numbers, enabled/disabled for booleans.
    data::Json show(const data::Json& value) const;
    /// The key's value after `text` was typed, given its value now. The result fits the schema.
    Result<data::Json> read(std::string_view text, const data::Json& now) const;
};

const std::vector<Setting>& settings(); ///< sorted by name
/// An unknown name is invalid_input with a suggestion.
Result<Setting> find_setting(std::string_view name);

} // namespace picket::profile
