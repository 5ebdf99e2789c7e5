#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/reference.h>

#include "words.h"

namespace picket::command_line {
namespace {

/// `text` as roff reads it: a dash that can be copied, quotes that stay straight, no line that looks like a macro.
std::string roff(std::string_view text) {
    std::string escaped = text.starts_with('.') ? "\\&" : "";
    for (const char character : text) {
        switch (character) {
        case '\\':
            escaped += "\\e";
            break;
        case '-':
            escaped += "\\-";
            break;
        case '\'':
            escaped += "\\(aq";
            break;
        case '`':
            escaped += "\\(ga";
            break;
        case '^':
            escaped += "\\(ha";
            break;
        case '~':
            escaped += "\\(ti";
            break;
        default:
            escaped += character;
        }
    }
    return escaped;
}

std::string bold(std::string_view text) {
    return fmt::format("\\fB{}\\fR", roff(text));
}

std::string italic(std::string_view text) {
    return fmt::format("\\fI{}\\fR", roff(text));
}

std::string section(std::string_view title, std::string_view body) {
    return body.empty() ? "" : fmt::format(".SH {}\n{}", title, body);
}

std::string paragraphs(std::string_view text) {
    std::string lines;
    for (const std::string_view line : split(text, '\n'))
        if (!line.empty())
            lines += fmt::format("{}{}\n", lines.empty() ? "" : ".PP\n", roff(line));
    return lines;
}

std::string tagged(const std::string& tag, std::string_view text) {
    return fmt::format(".TP\n{}\n{}\n", tag, roff(text));
}

std::string tag_of(const Option& option) {
    if (option.is_positional())
        return italic(option.name);
    const std::string shorter = option.short_name == 0 ? "" : bold(fmt::format("-{}", option.short_name)) + ", ";
    return shorter + bold(option.name) + (option.is_switch() ? "" : " " + italic(option.value));
}

std::string options(const std::vector<Option>& rows) {
    std::string text;
    for (const Option& option : rows)
        text += tagged(tag_of(option), explained(option));
    return text;
}

/// As man(1) shows it in a line of its own: "picket - asks the daemon".
std::string name_line(const Program& program) {
    std::string summary(program.summary);
    if (summary.ends_with('.'))
        summary.pop_back();
    if (!summary.empty())
        summary[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(summary[0])));
    return fmt::format("{} \\- {}\n", roff(program.name), roff(summary));
}

std::string synopsis(const Program& program) {
    return fmt::format("{0} {1} [{2}]\n.br\n{0} {3} [{1}]\n", bold(program.name), italic("COMMAND"), italic("OPTIONS"),
                       bold("help"));
}

std::string commands(const Program& program) {
    std::string text;
    for (const Verb& verb : program.verbs) {
        text += fmt::format(".SS {}\n{}\n", roff(verb.words), bold(usage_of(program, verb)));
        for (const std::string_view paragraph : {verb.summary, verb.note})
            if (!paragraph.empty())
                text += fmt::format(".PP\n{}\n", roff(paragraph));
        text += options(verb.options);
    }
    return text;
}

std::string example_list(const Program& program) {
    std::string text;
    for (const Verb& verb : program.verbs) {
        if (verb.examples.empty())
            continue;
        text += fmt::format("{}{}\n.PP\n.RS\n.nf\n", text.empty() ? "" : ".PP\n", roff(verb.summary));
        for (const std::string_view example : verb.examples)
            text += bold(example) + "\n";
        text += ".fi\n.RE\n";
    }
    return text;
}

std::string exit_codes(const Program& program) {
    std::string text;
    for (const ExitStatus& status : program.exit_codes)
        text += tagged(bold(std::to_string(status.code)), status.meaning);
    return text;
}

std::string files(const Program& program) {
    std::string text;
    for (const NamedFile& file : program.files)
        text += tagged(italic(file.path), file.is);
    return text;
}

std::string see_also(const Program& program) {
    std::string text;
    for (const std::string_view page : program.see_also)
        text += fmt::format("{}{}{}", text.empty() ? "" : ",\n", bold(page.substr(0, page.find('('))),
                            page.substr(page.find('(')));
    return text.empty() ? "" : text + "\n";
}

} // namespace

std::string manual_page(const Program& program, const Release& release) {
    std::string title = roff(program.name);
    std::transform(title.begin(), title.end(), title.begin(), [](unsigned char c) { return std::toupper(c); });
    std::string text = fmt::format(".\\\" Made from the verb table of {}.\n.TH {} {} {} \"Picket {}\" \"Picket\"\n",
                                   program.name, title, program.section, release.date, release.version);
    text += ".nh\n.ad l\n"; // commands are to be copied: no word is parted
    text += section("NAME", name_line(program));
    text += section("SYNOPSIS", synopsis(program));
    text += section("DESCRIPTION", paragraphs(fmt::format("{}\n{}", program.summary, program.description)));
    text += section("OPTIONS OF EVERY COMMAND", options(program.global_options) +
                                                    tagged(bold("-h") + ", " + bold("--help"), "explain the command"));
    text += section("COMMANDS", commands(program));
    text += section("EXAMPLES", example_list(program));
    text += section("EXIT STATUS", exit_codes(program));
    text += section("FILES", files(program));
    return text + section("SEE ALSO", see_also(program));
}

} // namespace picket::command_line
