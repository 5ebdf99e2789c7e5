#pragma once
#include <string>
#include <string_view>

#include <picket/data/json.h>

namespace picket::profile {

/// A value of a foreign file as the schema of our key wants it.
struct Lenient {
    data::Json value;
    std::string how; ///< what was done to it; "" = it is as it stood there
};
/// Numbers and booleans as text, booleans as words and words as booleans, words in other case. What cannot be made fit
/// stays as it is: the schema refuses it.
Lenient made_fit(const data::Json& value, const data::Json& node);
/// A list; one text becomes its parts between commas.
Lenient made_list(const data::Json& value);

} // namespace picket::profile
