#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/result.h>
#include <picket/crypto/minisign.h>

/// The line format that all three kinds of minisign files share; inside libs/crypto only.
namespace picket::crypto {

inline constexpr std::string_view kUntrustedPrefix = "untrusted comment: ";
inline constexpr std::string_view kTrustedPrefix = "trusted comment: ";

/// Exactly `count` lines (a last empty one is not counted), CR at their ends dropped.
Result<std::vector<std::string_view>> lines_of(std::string_view text, std::size_t count, std::string_view kind);
/// A line of base64 that holds exactly `size` bytes.
Result<Secret> decode_line(std::string_view line, std::size_t size, std::string_view kind);

} // namespace picket::crypto
