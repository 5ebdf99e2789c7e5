#include <doctest/doctest.h>
#include <picket/base/text.h>
#include <picket/command_line/reference.h>

using namespace picket;
using namespace picket::command_line;

namespace {

const Program& program() {
    static const Program kProgram{
        .name = "some-tool",
        .summary = "Does things.",
        .global_options = {{.name = "--output", .value = "FORMAT", .help = "how", .choices = "text|json"}},
        .verbs = {{.words = "copy",
                   .summary = "Copies what isn't there | here.",
                   .options = {{.name = "FILE", .help = "what", .required = true, .kind = ValueKind::path},
                               {.name = "--out", .value = "DIR", .help = "where [to]", .short_name = 'o'}},
                   .examples = {"some-tool copy ~/a -o 'b c'", "some-tool copy a\\b"},
                   .note = ".config is left out."},
                  {.words = "log level", .summary = "Sets it.", .options = {}, .examples = {}}},
        .exit_codes = {{0, "done"}, {7, "half done"}},
        .section = 8,
        .description = "First.\n\nSecond.",
        .files = {{"/etc/tool-conf", "what it reads"}},
        .see_also = {"other-tool(1)", "third(5)"},
    };
    return kProgram;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

} // namespace

TEST_CASE("a manual page has every section, in the order that readers know") {
    const std::string page = manual_page(program(), {"1.2.3", "2026-11-24"});
    CHECK(contains(page, ".TH SOME\\-TOOL 8 2026-11-24 \"Picket 1.2.3\""));
    CHECK(contains(page, "some\\-tool \\- does things\n"));
    std::size_t at = 0;
    for (const char* title : {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS OF EVERY COMMAND", "COMMANDS", "EXAMPLES",
                              "EXIT STATUS", "FILES", "SEE ALSO"}) {
        const auto found = page.find(std::string(".SH ") + title + "\n", at);
        INFO(title);
        REQUIRE(found != std::string::npos);
        at = found;
    }
    CHECK(contains(page, "First.\n.PP\nSecond.\n"));
    CHECK(contains(page, "\\fBother\\-tool\\fR(1),\n\\fBthird\\fR(5)\n"));
}

TEST_CASE("a manual page takes no text for a macro, and its examples can be copied") {
    const std::string page = manual_page(program(), {"1", "2026-11-24"});
    CHECK(contains(page, "\n\\&.config is left out.\n"));
    CHECK(contains(page, "\\fBsome\\-tool copy \\(ti/a \\-o \\(aqb c\\(aq\\fR\n"));
    CHECK(contains(page, "copy a\\eb"));
    CHECK(contains(page, "\\fB\\-o\\fR, \\fB\\-\\-out\\fR \\fIDIR\\fR\n"));
}

TEST_CASE("the reference in markdown: a table that its text cannot break") {
    const std::string text = markdown_reference(program());
    CHECK(contains(text, "| [`log level`](#log-level) | Sets it. |"));
    CHECK(contains(text, "| [`copy`](#copy) | Copies what isn't there \\| here. |"));
    CHECK(contains(text, "| `-o, --out DIR` | where \\[to] |"));
    CHECK(contains(text, "| `FILE` | what; required |"));
    CHECK(contains(text, "\n$ some-tool copy ~/a -o 'b c'\n"));
    CHECK(contains(text, "| 7 | half done |"));
}

TEST_CASE("examples come one a line, in the table's order") {
    CHECK(examples(program()) == "some-tool copy ~/a -o 'b c'\nsome-tool copy a\\b\n");
}

TEST_CASE("completions are called as their shells look for them") {
    CHECK(contains(bash_completion(program()), "complete -F _some_tool some-tool\n"));
    CHECK(zsh_completion(program()).starts_with("#compdef some-tool\n"));
    CHECK(contains(zsh_completion(program()), "'--out=[where \\[to\\]]:DIR: '"));
    CHECK(contains(zsh_completion(program()), "'copy:Copies what isn'\\''t there | here.'"));
}
