#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/reference.h>

#include "words.h"

namespace picket::command_line {
namespace {

/// Prose as it is, also in the cell of a table.
std::string plain(std::string_view text) {
    constexpr std::string_view kSpecial = "\\`*<|[";
    std::string escaped;
    for (const char character : text) {
        if (kSpecial.find(character) != std::string_view::npos)
            escaped += '\\';
        escaped += character;
    }
    return escaped;
}

std::string code(std::string_view text) {
    return fmt::format("`{}`", text);
}

std::string row(const std::string& left, std::string_view right) {
    return fmt::format("| {} | {} |\n", left, plain(right));
}

std::string table(std::string_view left, std::string_view right, const std::string& rows) {
    return rows.empty() ? "" : fmt::format("\n| {} | {} |\n|---|---|\n{}", left, right, rows);
}

std::string options(const std::vector<Option>& all) {
    std::string rows;
    for (const Option& option : all)
        rows += row(code(written(option)), explained(option) + (option.required ? "; required" : "") +
                                               (option.repeatable ? "; may be repeated" : ""));
    return table("option", "is", rows);
}

std::string anchor(std::string_view words) {
    std::string made(words);
    std::replace(made.begin(), made.end(), ' ', '-');
    return made;
}

std::string overview(const Program& program) {
    std::string rows;
    for (const Verb& verb : program.verbs)
        rows += row(fmt::format("[{}](#{})", code(verb.words), anchor(verb.words)), verb.summary);
    return table("command", "does", rows);
}

std::string verb_section(const Program& program, const Verb& verb) {
    std::string text =
        fmt::format("\n### {}\n\n{}\n\n```\n{}\n```\n", verb.words, plain(verb.summary), usage_of(program, verb));
    if (!verb.note.empty())
        text += fmt::format("\n{}\n", plain(verb.note));
    text += options(verb.options);
    if (verb.examples.empty())
        return text;
    text += "\n```console\n";
    for (const std::string_view example : verb.examples)
        text += fmt::format("$ {}\n", example);
    return text + "```\n";
}

std::string exit_codes(const Program& program) {
    std::string rows;
    for (const ExitStatus& status : program.exit_codes)
        rows += row(std::to_string(status.code), status.meaning);
    return table("code", "means", rows);
}

std::string files(const Program& program) {
    std::string rows;
    for (const NamedFile& file : program.files)
        rows += row(code(file.path), file.is);
    return table("file", "is", rows);
}

std::string section(std::string_view title, const std::string& body) {
    return body.empty() ? "" : fmt::format("\n## {}\n{}", title, body);
}

} // namespace

std::string markdown_reference(const Program& program) {
    std::string text =
        fmt::format("<!-- Made from the program's verb table by `./dev reference`: change the table. -->\n# {}\n\n{}\n",
                    program.name, plain(program.summary));
    if (!program.description.empty())
        text += fmt::format("\n{}\n", plain(program.description));
    text += overview(program);
    text += section("Options of every command", options(program.global_options));
    text += "\n## Commands\n";
    for (const Verb& verb : program.verbs)
        text += verb_section(program, verb);
    text += section("Exit codes", exit_codes(program));
    return text + section("Files", files(program));
}

} // namespace picket::command_line
