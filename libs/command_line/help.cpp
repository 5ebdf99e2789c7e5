#include <algorithm>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/output.h>
#include <picket/command_line/verb.h>

#include "words.h"

namespace picket::command_line {
namespace {

constexpr int kHelpWidth = 80;
using Rows = std::vector<std::pair<std::string, std::string>>;

std::string in_usage(const Option& option) {
    std::string text = option.is_switch() || option.is_positional() ? std::string(option.name)
                                                                    : fmt::format("{} {}", option.name, option.value);
    if (option.repeatable)
        text += "...";
    return option.required ? text : "[" + text + "]";
}

/// `text` in lines of at most `width` columns, the following ones indented.
std::string wrapped(std::string_view text, int indent, int width) {
    std::string lines;
    int column = indent;
    for (const std::string_view word : split(text, ' ')) {
        const int length = display_width(word);
        if (column > indent && column + 1 + length > width) {
            lines += "\n" + std::string(static_cast<std::size_t>(indent), ' ');
            column = indent;
        }
        if (column > indent)
            lines += ' ', ++column;
        lines += word;
        column += length;
    }
    return lines;
}

std::string section(std::string_view title, const Rows& rows) {
    if (rows.empty())
        return "";
    constexpr int kWidestLeft = 32;
    int left = 0;
    for (const auto& row : rows)
        if (display_width(row.first) <= kWidestLeft)
            left = std::max(left, display_width(row.first));
    std::string text = fmt::format("\n{}:\n", title);
    for (const auto& [name, help] : rows) {
        const int width = display_width(name);
        text += "  " + name;
        text += width > left ? "\n" + std::string(static_cast<std::size_t>(left + 4), ' ')
                             : std::string(static_cast<std::size_t>(left - width + 2), ' ');
        text += wrapped(help, left + 4, kHelpWidth) + "\n";
    }
    return text;
}

Rows rows_of(const std::vector<Option>& options) {
    Rows rows;
    for (const Option& option : options)
        rows.emplace_back(written(option), explained(option));
    return rows;
}

std::string verb_help(const Program& program, const Verb& verb) {
    std::string text = fmt::format("usage: {}\n\n{}\n", wrapped(usage_of(program, verb), 7, kHelpWidth),
                                   wrapped(verb.summary, 0, kHelpWidth));
    if (!verb.note.empty())
        text += fmt::format("\n{}\n", wrapped(verb.note, 0, kHelpWidth));
    text += section("Options", rows_of(verb.options));
    text += section("Options of every command", rows_of(program.global_options));
    if (!verb.examples.empty())
        text += "\nExamples:\n";
    for (const std::string_view example : verb.examples)
        text += fmt::format("  {}\n", example);
    return text;
}

bool begins_with_words(std::string_view words, std::string_view prefix) {
    return prefix.empty() || words == prefix || (words.starts_with(prefix) && words[prefix.size()] == ' ');
}

std::string exit_codes(const Program& program) {
    std::vector<std::string> codes;
    for (const ExitStatus& status : program.exit_codes)
        codes.push_back(fmt::format("{} {}", status.code, status.meaning));
    return codes.empty() ? "" : fmt::format("\n{}\n", wrapped("Exit codes: " + join(codes, ", ") + ".", 0, kHelpWidth));
}

std::string group_help(const Program& program, std::string_view words) {
    Rows rows;
    for (const Verb& verb : program.verbs)
        if (begins_with_words(verb.words, words))
            rows.emplace_back(verb.words, verb.summary);
    std::string text = fmt::format("usage: {} {}{}COMMAND [OPTIONS]\n", program.name, words, words.empty() ? "" : " ");
    if (words.empty())
        text += fmt::format("\n{}\n", wrapped(program.summary, 0, kHelpWidth));
    text += section("Commands", rows);
    text += section("Options of every command", rows_of(program.global_options));
    text += fmt::format("\n\"{} COMMAND --help\" explains a command, with examples.\n", program.name);
    if (words.empty())
        text += exit_codes(program);
    return text;
}

} // namespace

std::string written(const Option& option) {
    if (option.is_positional())
        return std::string(option.name);
    const std::string shorter = option.short_name == 0 ? "" : fmt::format("-{}, ", option.short_name);
    return option.is_switch() ? fmt::format("{}{}", shorter, option.name)
                              : fmt::format("{}{} {}", shorter, option.name, option.value);
}

std::string explained(const Option& option) {
    if (option.choices.empty())
        return std::string(option.help);
    const auto choices = split(option.choices, '|');
    return fmt::format("{} ({})", option.help, join({choices.begin(), choices.end()}, ", "));
}

std::string usage_of(const Program& program, const Verb& verb) {
    std::string usage = fmt::format("{} {}", program.name, verb.words);
    for (const Option& option : verb.options)
        usage += " " + in_usage(option);
    return usage;
}

const Verb* find_verb(const Program& program, std::string_view words) {
    const auto found =
        std::find_if(program.verbs.begin(), program.verbs.end(), [&](const Verb& verb) { return verb.words == words; });
    return found == program.verbs.end() ? nullptr : &*found;
}

std::vector<std::string> next_words(const Program& program, std::string_view words, bool count_itself) {
    std::vector<std::string> found;
    for (const Verb& verb : program.verbs) {
        if (!begins_with_words(verb.words, words))
            continue;
        std::string_view rest = verb.words.substr(words.size());
        if (rest.starts_with(' '))
            rest.remove_prefix(1);
        const std::string word(rest.substr(0, rest.find(' ')));
        if ((!word.empty() || count_itself) && std::find(found.begin(), found.end(), word) == found.end())
            found.push_back(word);
    }
    return found;
}

std::string help_text(const Program& program, std::string_view words) {
    const Verb* verb = find_verb(program, words);
    const auto below = next_words(program, words, false);
    if (verb == nullptr)
        return group_help(program, words);
    std::string text = verb_help(program, *verb);
    if (!below.empty())
        text += fmt::format("\nSee also: {} {} {}\n", program.name, words, join(below, ", "));
    return text;
}

std::string absolute_path(std::string_view path) {
    std::vector<std::string_view> parts;
    std::string here;
    if (!path.starts_with('/')) {
        char* buffer = ::get_current_dir_name();
        here = buffer == nullptr ? "/" : buffer;
        ::free(buffer);
        parts = split(here, '/');
    }
    // The working directory holds no links, so that leading ".." can be taken from it; behind a name of the user's
    // own, which may be a link, only the kernel knows what ".." is.
    bool leading = !path.starts_with('/');
    for (const std::string_view part : split(path, '/')) {
        leading = leading && (part.empty() || part == "." || part == "..");
        if (part == ".." && leading) {
            if (!parts.empty())
                parts.pop_back();
        } else if (part != ".") {
            parts.push_back(part);
        }
    }
    std::string absolute;
    for (const std::string_view part : parts)
        if (!part.empty())
            absolute += fmt::format("/{}", part);
    return absolute.empty() ? "/" : absolute;
}

} // namespace picket::command_line
