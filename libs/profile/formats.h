#pragma once
#include <optional>
#include <string>
#include <string_view>

#include <picket/base/clock.h>

namespace picket::profile {

/// The checks that x-picket-format of the schema names. Gives what is wrong with the value, or nothing.
std::optional<std::string> format_problem(std::string_view format, std::string_view value);

/// What would make an excluded path dangerous: it would cover what an intruder needs first.
std::optional<std::string> excluded_path_problem(std::string_view path, bool is_directory);

/// The first moment at which an exclusion with this `expires` no longer counts: a day counts to its end, in UTC.
/// Nothing where the text is no time.
std::optional<WallTime> expiry_time(std::string_view text);

/// One spelling for one path: no repeated or trailing slash, no "." component. `path` passed its format check.
std::string normal_path(std::string_view path);

} // namespace picket::profile
