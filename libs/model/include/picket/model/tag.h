#pragma once
#include <string_view>

#include <picket/base/result.h>

namespace picket {

/// What may be a host's tag. Key: letter first, then letters, digits, '_', '.', '-', at most 64. Value: at most 256
/// bytes, one printable line. invalid_input says what would be right.
Result<void> check_tag(std::string_view key, std::string_view value);

} // namespace picket
