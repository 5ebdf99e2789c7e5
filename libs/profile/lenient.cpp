#include "lenient.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "walker.h"

namespace picket::profile {
namespace {

using data::Json;

std::string text_of(const Json& value) {
    const auto* text = value.get_ptr<const std::string*>();
    return text == nullptr ? "" : std::string(trim(*text));
}

std::optional<bool> truth_of(const Json& value) {
    const std::string word = value.is_number_integer() ? data::to_text(value) : to_lower(text_of(value));
    for (const char* yes : {"true", "enabled", "yes", "on", "1"})
        if (word == yes)
            return true;
    for (const char* no : {"false", "disabled", "no", "off", "0"})
        if (word == no)
            return false;
    return std::nullopt;
}

/// "Real-Time", "realTime" and "real_time" are one word.
std::string plain_word(std::string_view text) {
    std::string plain = to_lower(text);
    std::erase_if(plain, [](char c) { return c == '_' || c == '-' || c == ' '; });
    return plain;
}

Lenient number(const Json& value) {
    constexpr double kLargest = 1e15; // every whole number below is exact
    if (value.is_number_float()) {
        const double real = value.get<double>();
        if (std::floor(real) == real && std::abs(real) < kLargest)
            return {static_cast<std::int64_t>(real), fmt::format("{} is a whole number here", shown(value))};
    }
    if (const auto parsed = parse_unsigned(text_of(value)))
        return {*parsed, fmt::format("{} is a number", shown(value))};
    return {value, ""};
}

Lenient word(const Json& value, const std::vector<std::string>& words) {
    if (value.is_boolean() && std::find(words.begin(), words.end(), "enabled") != words.end())
        return {value.get<bool>() ? "enabled" : "disabled", fmt::format("{} is a word here", shown(value))};
    const std::string text = text_of(value);
    for (const std::string& known : words)
        if (!text.empty() && plain_word(text) == plain_word(known))
            return {known, value == Json(known) ? "" : fmt::format("{} is {} here", shown(value), known)};
    return {value, ""};
}

} // namespace

Lenient made_fit(const Json& value, const Json& node) {
    const std::string type = data::string_or(node, "type", "");
    if (type == "integer" && !value.is_number_integer())
        return number(value);
    if (type == "boolean" && !value.is_boolean()) {
        if (const auto truth = truth_of(value))
            return {*truth, fmt::format("{} is {} here", shown(value), *truth)};
    }
    if (type == "string" && node.contains("enum"))
        return word(value, data::strings_of(node["enum"]));
    return {value, ""};
}

Lenient made_list(const Json& value) {
    if (!value.is_string())
        return {value, ""};
    const std::string text = text_of(value);
    Json list = Json::array();
    for (const std::string_view part : split(text, ','))
        if (!trim(part).empty())
            list.push_back(std::string(trim(part)));
    return {std::move(list), fmt::format("{} is a list here", shown(value))};
}

} // namespace picket::profile
