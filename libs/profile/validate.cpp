#include <picket/profile/validate.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/data/schema.h>

#include "json_positions.h"
#include "one_file.h"
#include "walker.h"

namespace picket::profile {
namespace {

using data::Json;

/// Parses and notes the places; a problem where it is no JSON or YAML at all.
void read_text(std::string_view text, Format format, const std::string& file, Validation& validation) {
    const auto refuse = [&](const Error& error) {
        validation.problems.push_back({file, position_in(error.message()), "", error.message(), ""});
    };
    const data::JsonLimits limits{Bytes{kMaximumFileBytes}, 32};
    if (format == Format::yaml) {
        auto located = data::parse_yaml(text, limits);
        if (!located)
            return refuse(located.error());
        validation.document = std::move(located->value);
        validation.positions = std::move(located->positions);
        return;
    }
    auto parsed = data::parse_json(text, limits);
    if (!parsed)
        return refuse(parsed.error());
    validation.document = std::move(*parsed);
    validation.positions = json_positions(text);
}

/// A newer layout is told as such, before its unknown keys are taken for misspelt ones.
void take_schema(const std::string& file, Validation& validation) {
    const Json& schema = data::member(validation.document, "schema");
    if (schema.is_null())
        return;
    validation.schema = data::integer_or(validation.document, "schema", 0);
    if (validation.schema < 1 || validation.schema > kDocumentSchema)
        validation.problems.push_back(
            {file, validation.positions["/schema"], "/schema",
             fmt::format("is {}; this program knows version {}: the file is left as it is and does not count",
                         shown(schema), kDocumentSchema),
             ""});
    validation.document.erase("schema");
}

void take_extends(OneFile& one) {
    Json& document = one.validation.document;
    if (!document.is_object() || !document.contains("extends"))
        return;
    one.extends = document["extends"];
    if (one.extends.is_null())
        one.extends = ""; // it is there, and says nothing
    document.erase("extends");
}

/// The place of the value, or of the nearest thing around it.
data::Position place_of(const std::map<std::string, data::Position>& positions, std::string pointer) {
    for (;;) {
        const auto found = positions.find(pointer);
        if (found != positions.end())
            return found->second;
        if (pointer.empty())
            return {};
        pointer.resize(pointer.rfind('/') == std::string::npos ? 0 : pointer.rfind('/'));
    }
}

std::string dotted(std::string_view pointer) {
    std::string text;
    for (const std::string_view step : split(pointer, '/')) {
        if (step.empty())
            continue;
        if (parse_unsigned(step))
            text += fmt::format("[{}]", step);
        else
            text += fmt::format("{}{}", text.empty() ? "" : ".", step);
    }
    constexpr std::size_t kLongest = 200;
    return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

} // namespace

Format format_of(std::string_view file_name) {
    const std::string name = to_lower(file_name);
    return name.ends_with(".yaml") || name.ends_with(".yml") ? Format::yaml : Format::json;
}

OneFile validate_one(std::string_view text, Format format, const std::string& file, Layer layer) {
    OneFile one;
    Validation& validation = one.validation;
    read_text(text, format, file, validation);
    if (validation.ok())
        take_schema(file, validation);
    if (!validation.ok())
        return one;
    take_extends(one);
    const auto report = [&](Finding finding) {
        if (validation.problems.size() + 1 == kMaximumProblems)
            finding = {"", "more is wrong than is told here", ""};
        const data::Position place = place_of(validation.positions, finding.pointer);
        validation.problems.push_back(
            {file, place, std::move(finding.pointer), std::move(finding.message), std::move(finding.suggestion)});
        return validation.problems.size() < kMaximumProblems;
    };
    walk(validation.document, layer, report);
    if (!validation.ok())
        return one;
    const auto formal = data::check_schema(schema(), validation.document);
    if (!formal) {
        report({"", formal.error().message(), ""});
        return one;
    }
    for (const data::SchemaProblem& problem : *formal)
        if (!report({problem.pointer, problem.message, ""}))
            break;
    return one;
}

Validation validate(std::string_view text, Format format, const std::string& file, Layer layer) {
    OneFile one = validate_one(text, format, file, layer);
    if (!one.extends.is_null())
        one.validation.problems.push_back(
            {file, one.validation.positions["/extends"], "/extends",
             "is for files that people write: a host reads what `picket profile render` makes of them", ""});
    return std::move(one.validation);
}

std::string to_text(const Problem& problem) {
    std::string text = escape_for_display(problem.file);
    if (problem.position.line > 0)
        text += fmt::format(":{}:{}", problem.position.line, problem.position.column);
    if (const std::string key = dotted(problem.pointer); !key.empty())
        text += fmt::format(": {}", escape_for_display(key));
    text += fmt::format(": {}", escape_for_display(problem.message));
    if (!problem.suggestion.empty())
        text += fmt::format("; did you mean {}?", escape_for_display(problem.suggestion));
    return text;
}

Json to_json(const Problem& problem) {
    Json json = {{"file", problem.file},
                 {"line", problem.position.line},
                 {"column", problem.position.column},
                 {"pointer", problem.pointer},
                 {"message", problem.message}};
    if (!problem.suggestion.empty())
        json["suggestion"] = problem.suggestion;
    return json;
}

} // namespace picket::profile
