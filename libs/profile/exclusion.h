#pragma once
#include <optional>
#include <string>
#include <string_view>

#include <picket/base/result.h>
#include <picket/data/json.h>

namespace picket::profile {

/// An element of an exclusions list, as the control protocol and the matcher know it.
struct Exclusion {
    std::string type; ///< file, folder, extension, name, process
    std::string value;
    auto operator<=>(const Exclusion&) const = default;
};

/// `element` passed validation.
Exclusion exclusion_from(const data::Json& element);
/// As a profile has it; normal spelling. An unknown type is invalid_input.
Result<data::Json> exclusion_element(std::string_view type, std::string_view value);
/// The element with every default filled in and one spelling for one meaning.
data::Json normal_exclusion(const data::Json& element);

} // namespace picket::profile
