#include "walker.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "formats.h"
#include "json_positions.h"

namespace picket::profile {
namespace {

using data::Json;

const Json& resolve(const Json& node) {
    const std::string reference = data::string_or(node, "$ref", "");
    constexpr std::string_view kPrefix = "#/definitions/";
    if (!reference.starts_with(kPrefix))
        return node;
    return data::member(data::member(schema(), "definitions"), reference.substr(kPrefix.size()));
}

const std::string& text_of(const Json& value) {
    static const std::string kEmpty;
    const auto* text = value.get_ptr<const std::string*>();
    return text == nullptr ? kEmpty : *text;
}

std::string_view type_words(std::string_view type) {
    if (type == "object")
        return "a section with keys";
    if (type == "array")
        return "a list";
    if (type == "string")
        return "text";
    if (type == "integer")
        return "a whole number";
    return type == "boolean" ? "true or false" : type;
}

bool has_type(const Json& value, std::string_view type) {
    return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "integer" && value.is_number_integer()) ||
           (type == "boolean" && value.is_boolean());
}

/// What somebody who wrote a value of another type probably meant.
std::string converted(const Json& value, const Json& node) {
    const std::string type = data::string_or(node, "type", "");
    const std::string& text = text_of(value);
    if (type == "integer" && parse_unsigned(text))
        return text + " without quotes";
    if (type == "boolean" && (text == "enabled" || text == "yes" || text == "on" || text == "true"))
        return "true";
    if (type == "boolean" && (text == "disabled" || text == "no" || text == "off" || text == "false"))
        return "false";
    const auto words = data::strings_of(data::member(node, "enum"));
    if (value.is_boolean() && std::find(words.begin(), words.end(), "enabled") != words.end())
        return value == Json(true) ? "enabled" : "disabled";
    return "";
}

std::vector<std::string> names_in(const Json& object) {
    std::vector<std::string> names;
    for (const auto& [name, unused] : object.items())
        names.push_back(name);
    return names;
}

class Walker {
  public:
    explicit Walker(const std::function<bool(Finding)>& report) : report_(report) {}

    void value(const Json& raw_node, const Json& value, const std::string& pointer) {
        if (stopped_)
            return;
        const Json& node = resolve(raw_node);
        if (node.contains("oneOf"))
            return variants(node, value, pointer);
        const std::string type = data::string_or(node, "type", "");
        if (!type.empty() && !has_type(value, type))
            return tell(pointer, fmt::format("must be {}, not {}", type_words(type), shown(value)),
                        converted(value, node));
        if (value.is_object())
            return object(node, value, pointer);
        if (value.is_array())
            return array(node, value, pointer);
        if (value.is_number_integer())
            return number(node, value, pointer);
        if (value.is_string())
            return text(node, text_of(value), pointer);
    }

  private:
    void tell(const std::string& pointer, std::string message, std::string suggestion = "") {
        if (!stopped_)
            stopped_ = !report_({pointer, std::move(message), std::move(suggestion)});
    }

    void object(const Json& node, const Json& value, const std::string& pointer) {
        const Json& properties = data::member(node, "properties");
        for (const auto& [name, member] : value.items()) {
            const std::string child = pointer + "/" + pointer_step(name);
            if (properties.contains(name))
                this->value(properties[name], member, child);
            else
                unknown_key(properties, name, child);
            if (stopped_)
                return;
        }
        for (const std::string& required : data::strings_of(data::member(node, "required")))
            if (!value.contains(required))
                tell(pointer, fmt::format("lacks the key \"{}\"", required));
        if (data::string_or(value, "$type", "") == "excludedPath")
            excluded_path(value, pointer);
    }

    void excluded_path(const Json& exclusion, const std::string& pointer) {
        const Json& path = data::member(exclusion, "path");
        if (!path.is_string() || format_problem("path", text_of(path)))
            return; // told already
        const bool is_directory = data::bool_or(exclusion, "isDirectory", false);
        if (const auto problem = excluded_path_problem(text_of(path), is_directory))
            tell(pointer + "/path", fmt::format("{} {}", shown(path), *problem));
    }

    void unknown_key(const Json& properties, const std::string& name, const std::string& pointer) {
        auto near = closest_match(name, names_in(properties));
        if (!near) // the right name in the wrong place
            for (const KeyInfo& key : keys())
                if (key.pointer.ends_with("/" + name))
                    near = key.dotted;
        tell(pointer, "no such key", near.value_or(""));
    }

    void array(const Json& node, const Json& value, const std::string& pointer) {
        const auto minimum = static_cast<std::size_t>(data::integer_or(node, "minItems", 0));
        const auto maximum = static_cast<std::size_t>(data::integer_or(node, "maxItems", INT64_MAX));
        if (value.size() < minimum || value.size() > maximum)
            return tell(pointer, fmt::format("has {} elements; {} to {} are allowed", value.size(), minimum, maximum));
        for (std::size_t i = 0; i < value.size() && !stopped_; ++i)
            this->value(data::member(node, "items"), value[i], fmt::format("{}/{}", pointer, i));
    }

    void number(const Json& node, const Json& value, const std::string& pointer) {
        const std::int64_t minimum = data::integer_or(node, "minimum", INT64_MIN);
        const std::int64_t maximum = data::integer_or(node, "maximum", INT64_MAX);
        const auto* large = value.get_ptr<const Json::number_unsigned_t*>();
        const auto* small = value.get_ptr<const Json::number_integer_t*>();
        const bool too_large =
            large != nullptr && *large > static_cast<std::uint64_t>(std::max<std::int64_t>(maximum, 0));
        if (too_large || (small != nullptr && (*small < minimum || (large == nullptr && *small > maximum))))
            tell(pointer, fmt::format("must be {} to {}, not {}", minimum, maximum, shown(value)));
    }

    void text(const Json& node, const std::string& value, const std::string& pointer) {
        const auto words = data::strings_of(data::member(node, "enum"));
        if (!words.empty() && std::find(words.begin(), words.end(), value) == words.end())
            return tell(pointer, fmt::format("must be one of {}, not {}", join(words, ", "), shown(value)),
                        closest_match(value, words).value_or(""));
        const auto minimum = static_cast<std::size_t>(data::integer_or(node, "minLength", 0));
        const auto maximum = static_cast<std::size_t>(data::integer_or(node, "maxLength", INT64_MAX));
        if (value.size() < minimum || value.size() > maximum)
            return tell(pointer, fmt::format("has {} bytes; {} to {} are allowed", value.size(), minimum, maximum));
        if (const auto problem = format_problem(data::string_or(node, "x-picket-format", ""), value))
            tell(pointer, fmt::format("{} {}", shown(value), *problem));
    }

    /// The alternatives of a oneOf differ in the constant of their $type.
    void variants(const Json& node, const Json& value, const std::string& pointer) {
        if (!value.is_object())
            return tell(pointer, fmt::format("must be a section with keys, not {}", shown(value)));
        std::vector<std::string> types;
        for (const Json& variant : data::member(node, "oneOf")) {
            const Json& type = data::member(data::member(data::member(variant, "properties"), "$type"), "const");
            if (data::member(value, "$type") == type)
                return this->value(variant, value, pointer);
            types.push_back(text_of(type));
        }
        if (!value.contains("$type"))
            return tell(pointer, fmt::format("lacks the key \"$type\": one of {}", join(types, ", ")));
        const Json& type = data::member(value, "$type");
        tell(pointer + "/$type", fmt::format("must be one of {}, not {}", join(types, ", "), shown(type)),
             closest_match(text_of(type), types).value_or(""));
    }

    const std::function<bool(Finding)>& report_;
    bool stopped_ = false;
};

} // namespace

std::string shown(const Json& value) {
    constexpr std::size_t kLongest = 60;
    if (value.is_null())
        return "nothing";
    if (value.is_object())
        return "a section with keys";
    if (value.is_array())
        return "a list";
    if (!value.is_string())
        return data::to_text(value);
    std::string text = text_of(value);
    if (text.size() > kLongest) {
        std::size_t cut = kLongest;
        while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80)
            --cut;
        text = text.substr(0, cut) + "…";
    }
    return "\"" + escape_for_display(text) + "\"";
}

void walk_value(const Json& node, const Json& value, const std::string& pointer,
                const std::function<bool(Finding)>& report) {
    Walker(report).value(node, value, pointer);
}

void walk(const Json& document, Layer layer, const std::function<bool(Finding)>& report) {
    if (document.is_null()) {
        report({"", "holds nothing: a profile is a section with keys, at least {}", ""});
        return;
    }
    Walker(report).value(schema(), document, "");
    if (layer != Layer::local)
        return;
    for (const KeyInfo& key : keys())
        if (key.managed_only && !value_at(document, key.pointer).is_null() &&
            !report({key.pointer, "only a central profile may hold this key", ""}))
            return;
}

} // namespace picket::profile
