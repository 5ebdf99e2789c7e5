#include "mde_fit.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/profile/schema.h>

#include "lenient.h"
#include "walker.h"

namespace picket::profile {
namespace {

using data::Json;

std::optional<std::string> refusal(const Json& node, const Json& value) {
    std::optional<std::string> problem;
    walk_value(node, value, "", [&](const Finding& finding) {
        const std::string at = finding.pointer.empty() ? "" : finding.pointer.substr(1) + ": ";
        problem = at + finding.message +
                  (finding.suggestion.empty() ? "" : fmt::format("; did you mean {}?", finding.suggestion));
        return false;
    });
    return problem;
}

struct ExclusionKind {
    std::string_view theirs;
    const char* member;
    const char* ours;
    const char* our_member;
};
constexpr std::array<ExclusionKind, 3> kExclusionKinds = {
    {{"excludedPath", "path", "excludedPath", "path"},
     {"excludedFileExtension", "extension", "excludedFileExtension", "extension"},
     {"excludedFileName", "name", "excludedProcess", "process"}}};

/// Text that is empty where the member is missing or of another type.
std::string member_text(const Json& object, const char* name) {
    return std::string(trim(data::string_or(object, name, "")));
}

void fit_path(const Json& theirs, Json& ours, Fitted& fitted) {
    const Lenient is_directory = made_fit(data::member(theirs, "isDirectory"), {{"type", "boolean"}});
    if (!is_directory.value.is_null())
        ours["isDirectory"] = is_directory.value;
    if (!is_directory.how.empty())
        fitted.said.push_back("isDirectory: " + is_directory.how);
    const std::string path = member_text(ours, "path");
    if (path.find('*') != std::string::npos)
        fitted.said.emplace_back("* stands for characters within one component here, at the end, too");
}

void fit_extension(Json& ours, Fitted& fitted) {
    const std::string extension = member_text(ours, "extension");
    const auto first = extension.find_first_not_of("*.");
    if (first == 0 || first == std::string::npos)
        return;
    ours["extension"] = extension.substr(first);
    fitted.said.push_back(fmt::format("{} is {} here", shown(Json(extension)), shown(ours["extension"])));
}

void fit_process(const Json& ours, Fitted& fitted) {
    fitted.said.emplace_back("a file name there is the name of a program: excludedProcess here");
    if (member_text(ours, "process").find('/') == std::string::npos)
        fitted.said.emplace_back("a bare name is weak, for whoever makes a file may give it that name: name the path");
}

void fit_scopes(const Json& theirs, bool has_scopes, Json& ours, Fitted& fitted) {
    const Json& scopes = data::member(theirs, "scopes");
    if (!has_scopes) {
        if (!scopes.is_null())
            fitted.said.emplace_back("scopes do not count in this section");
        return;
    }
    Json known = Json::array();
    const Json list = made_list(scopes).value;
    for (const std::string& scope : data::strings_of(list))
        if (const std::string word = to_lower(scope);
            (word == "epp" || word == "global") && std::find(known.begin(), known.end(), Json(word)) == known.end())
            known.push_back(word);
    if (known.empty())
        fitted.said.emplace_back("without a scope it is global there and epp here: real-time protection and scans");
    else if (known == Json::array({"global"}))
        fitted.said.emplace_back("global does not count in scans there; here it does");
    if (!known.empty())
        ours["scopes"] = std::move(known);
}

} // namespace

Fitted fit(const Json& node, const Json& value, std::string_view remark) {
    Lenient lenient = made_fit(value, node);
    if (const auto problem = refusal(node, lenient.value))
        return {std::nullopt, {*problem}, false};
    Fitted fitted{std::move(lenient.value), {}, false};
    for (const std::string& text : {lenient.how, std::string(remark)})
        if (!text.empty())
            fitted.said.push_back(text);
    return fitted;
}

Fitted refuse(std::string why) {
    return {std::nullopt, {std::move(why)}, false};
}

Fitted fit_exclusion(const Json& node, const Json& theirs, bool has_scopes) {
    if (!theirs.is_object())
        return refuse(fmt::format("an exclusion must be a section with keys, not {}", shown(theirs)));
    const std::string type = member_text(theirs, "$type");
    const auto* kind = std::find_if(kExclusionKinds.begin(), kExclusionKinds.end(),
                                    [&](const ExclusionKind& each) { return to_lower(type) == to_lower(each.theirs); });
    if (kind == kExclusionKinds.end())
        return refuse(fmt::format("$type must be excludedPath, excludedFileExtension or excludedFileName, not {}",
                                  shown(data::member(theirs, "$type"))));
    Json ours = {{"$type", kind->ours}, {kind->our_member, member_text(theirs, kind->member)}};
    if (member_text(theirs, kind->member).empty())
        return refuse(fmt::format("{} must be text, not {}", kind->member, shown(data::member(theirs, kind->member))));
    if (member_text(theirs, kind->member).find('?') != std::string::npos)
        return refuse("? stands for one character there, for itself here: write the exclusion out");
    Fitted fitted;
    if (kind->theirs == "excludedPath")
        fit_path(theirs, ours, fitted);
    else if (kind->theirs == "excludedFileExtension")
        fit_extension(ours, fitted);
    else
        fit_process(ours, fitted);
    fit_scopes(theirs, has_scopes, ours, fitted);
    if (const auto problem = refusal(node, ours))
        return refuse(*problem);
    fitted.value = std::move(ours);
    return fitted;
}

Fitted fit_word(const Json& node, const Json& theirs) {
    const auto* text = theirs.get_ptr<const std::string*>();
    if (text == nullptr)
        return fit(node, theirs);
    Fitted fitted = fit(node, to_lower(trim(*text)));
    if (fitted.value && *fitted.value != theirs && fitted.said.empty())
        fitted.said.push_back(fmt::format("{} is {} here", shown(theirs), shown(*fitted.value)));
    return fitted;
}

Fitted fit_threat_type(const Json& node, const Json& theirs) {
    const Json& definition = data::member(data::member(schema(), "definitions"), "threatTypeSetting");
    const Json& properties = data::member(definition, "properties");
    Json ours = Json::object();
    Fitted fitted;
    for (const char* name : {"key", "value"}) {
        Lenient lenient = made_fit(data::member(theirs, name), data::member(properties, name));
        if (!lenient.how.empty())
            fitted.said.push_back(lenient.how);
        if (!lenient.value.is_null())
            ours[name] = std::move(lenient.value);
    }
    if (const auto problem = refusal(node, theirs.is_object() ? ours : theirs))
        return refuse(*problem);
    fitted.value = std::move(ours);
    return fitted;
}

} // namespace picket::profile
