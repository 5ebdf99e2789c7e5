#pragma once
#include <optional>
#include <string>
#include <string_view>

#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/data/json.h>

namespace picket::profile {

/// An element of an exclusions list, as the control protocol and the matcher know it.
struct Exclusion {
    std::string type; ///< file, folder, extension, name, process
    std::string value;
    auto operator<=>(const Exclusion&) const = default;
};

/// What an element says about itself; each may be empty.
struct ExclusionNotes {
    std::string reason;
    std::string owner;
    std::string expires; ///< as the profile has it: a day or a moment
    bool operator==(const ExclusionNotes&) const = default;
    bool empty() const { return reason.empty() && owner.empty() && expires.empty(); }
};
ExclusionNotes notes_from(const data::Json& element);
/// Sets those that are not empty.
void set_notes(data::Json& element, const ExclusionNotes& notes);
/// The element without its notes: two elements that exclude the same are then equal.
data::Json without_notes(data::Json element);
/// Whether the element's time is over at `now`.
bool has_expired(const data::Json& element, WallTime now);

/// `element` passed validation.
Exclusion exclusion_from(const data::Json& element);
/// As a profile has it; normal spelling. An unknown type is invalid_input.
Result<data::Json> exclusion_element(std::string_view type, std::string_view value);
/// The element with every default filled in and one spelling for one meaning.
data::Json normal_exclusion(const data::Json& element);

} // namespace picket::profile
