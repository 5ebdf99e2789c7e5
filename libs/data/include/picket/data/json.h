#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <picket/base/bytes.h>
#include <picket/base/result.h>

/// Made once, in json_class.cpp: otherwise every file that uses JSON compiles all of it again.
extern template class nlohmann::basic_json<>;

namespace picket::data {

/// The JSON value of the whole project. Only this header includes nlohmann/json (ADR 0005). Object keys are sorted,
/// so equal values have equal text. Its own throwing accessors stay inside libs/data; elsewhere use what is below.
using Json = nlohmann::json;

struct JsonLimits {
    Bytes size = mebibytes(1);
    std::size_t depth = 64;
};

/// Strict RFC 8259; a key twice in one object, invalid UTF-8, or a limit passed is invalid_input. The message names
/// line and column.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// One line, or indented by two spaces. Text that is not UTF-8 is replaced by U+FFFD: carry `*_b64` beside it.
std::string to_text(const Json& value);
std::string to_pretty_text(const Json& value);

/// Typed access for objects; the error names the key and what it should be.
Result<std::string> get_string(const Json& object, std::string_view key);
Result<std::int64_t> get_integer(const Json& object, std::string_view key);
Result<bool> get_bool(const Json& object, std::string_view key);
/// The fallback where the key is absent or of another type.
std::string string_or(const Json& object, std::string_view key, std::string_view fallback);
std::int64_t integer_or(const Json& object, std::string_view key, std::int64_t fallback);
bool bool_or(const Json& object, std::string_view key, bool fallback);
/// The member, or null where there is none or `object` is no object. The reference lives as long as `object`.
const Json& member(const Json& object, std::string_view key);
std::vector<std::string> strings_of(const Json& array);

/// `path` always (as display text where it is not UTF-8) and `path_b64` where it is not UTF-8.
void set_path(Json& object, std::string_view key, std::string_view path);
/// Turns set_path round.
std::string path_of(const Json& object, std::string_view key);

} // namespace picket::data
