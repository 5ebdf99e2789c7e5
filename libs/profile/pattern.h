#pragma once
#include <string_view>

namespace picket::profile {

/// `*` stands for any bytes, also none; everything else for itself. Linear in the name for each piece of the pattern.
/// A component that is longer than any file system stores matches no pattern that has a `*`.
bool component_matches(std::string_view pattern, std::string_view component);

/// `rule` is an absolute path, possibly with `*` and a trailing slash: true for that directory and all below it.
bool directory_rule_covers(std::string_view rule, std::string_view path);

/// True for exactly that path.
bool file_rule_matches(std::string_view rule, std::string_view path);

} // namespace picket::profile
