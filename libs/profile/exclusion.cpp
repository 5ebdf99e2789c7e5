#include "exclusion.h"

#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "formats.h"

namespace picket::profile {
namespace {

using data::Json;

struct Kind {
    std::string_view type;    ///< of the control protocol
    const char* element_type; ///< $type
    const char* member;
};
constexpr std::array<Kind, 5> kKinds = {{
    {"file", "excludedPath", "path"},
    {"folder", "excludedPath", "path"},
    {"extension", "excludedFileExtension", "extension"},
    {"name", "excludedFileName", "name"},
    {"process", "excludedProcess", "process"},
}};

std::string normal_value(std::string_view element_type, std::string_view value) {
    if (element_type == "excludedFileExtension" && value.starts_with('.'))
        value.remove_prefix(1);
    const bool is_path = element_type == "excludedPath" ||
                         (element_type == "excludedProcess" && value.find('/') != std::string_view::npos);
    return is_path ? normal_path(value) : std::string(value);
}

} // namespace

Exclusion exclusion_from(const Json& element) {
    const std::string element_type = data::string_or(element, "$type", "");
    const bool is_directory = data::bool_or(element, "isDirectory", false);
    for (const Kind& kind : kKinds)
        if (element_type == kind.element_type && (kind.type == "folder") == is_directory)
            return {std::string(kind.type), normal_value(element_type, data::string_or(element, kind.member, ""))};
    return {};
}

ExclusionNotes notes_from(const Json& element) {
    return {data::string_or(element, "reason", ""), data::string_or(element, "owner", ""),
            data::string_or(element, "expires", "")};
}

void set_notes(Json& element, const ExclusionNotes& notes) {
    for (const auto& [member, text] :
         {std::pair{"reason", &notes.reason}, {"owner", &notes.owner}, {"expires", &notes.expires}})
        if (!text->empty())
            element[member] = *text;
}

Json without_notes(Json element) {
    for (const char* const member : {"reason", "owner", "expires"})
        element.erase(member);
    return element;
}

bool has_expired(const Json& element, WallTime now) {
    const auto end = expiry_time(data::string_or(element, "expires", ""));
    return end && *end <= now;
}

Result<Json> exclusion_element(std::string_view type, std::string_view value) {
    std::vector<std::string> types;
    for (const Kind& kind : kKinds) {
        types.emplace_back(kind.type);
        if (kind.type != type)
            continue;
        Json element = {{"$type", kind.element_type}, {kind.member, std::string(value)}};
        if (element["$type"] == "excludedPath")
            element["isDirectory"] = type == "folder";
        return element;
    }
    return Error(ErrorCode::invalid_input, fmt::format("\"{}\" is no type of exclusion: it must be one of {}",
                                                       escape_for_display(type), join(types, ", ")));
}

Json normal_exclusion(const Json& element) {
    const Exclusion exclusion = exclusion_from(element);
    auto normal = exclusion_element(exclusion.type, exclusion.value);
    if (!normal)
        return element;
    if (element.contains("scopes"))
        (*normal)["scopes"] = element["scopes"];
    set_notes(*normal, notes_from(element));
    return std::move(*normal);
}

} // namespace picket::profile
