#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/result.h>

namespace picket {

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string to_lower(std::string_view text);

bool is_valid_utf8(std::string_view text);
/// Bytes that a terminal, a log line or JSON must not see raw (control characters, C1, bidirectional overrides,
/// invalid UTF-8) become \xNN; everything else stays. One line in, one line out.
std::string escape_for_display(std::string_view text);

std::string to_hex(ByteSpan bytes);
Result<ByteVector> from_hex(std::string_view text);
std::string to_base64(ByteSpan bytes);
/// Strict RFC 4648 with padding; anything else is invalid_input.
Result<ByteVector> from_base64(std::string_view text);

/// Whole text, base 10, no sign, no space; nothing where it is no number or too large.
std::optional<std::uint64_t> parse_unsigned(std::string_view text);

/// The candidate nearest to `word` by edit distance, if near enough to be a misspelling.
std::optional<std::string> closest_match(std::string_view word, const std::vector<std::string>& candidates);

} // namespace picket
