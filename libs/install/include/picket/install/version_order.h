#pragma once
#include <string_view>

namespace picket::install {

/// Whether version `left` comes before `right`, part by part between dots: runs of digits count as numbers (0.9.0 is
/// older than 0.10.0), anything else as text. What is only longer is newer (0.2 is older than 0.2.1).
bool is_older(std::string_view left, std::string_view right);

} // namespace picket::install
