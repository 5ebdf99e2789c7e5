#include <string>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/output.h>
#include <picket/command_line/reference.h>
#include <picket/host/distro.h>

#include "verb_table.h"

namespace {

using namespace picket;

std::string notes_of(const host::Distribution& line) {
    std::vector<std::string> notes;
    if (line.derivative)
        notes.emplace_back("a derivative: installs with a warning");
    if (line.rolling)
        notes.emplace_back("releases without a number install with a warning");
    return join(notes, "; ");
}

/// docs/support.md holds it: what picket-installer says of each distribution without --support-matrix.
std::string support_tables() {
    std::string supported =
        "| distribution | ID | oldest | without a warning | package | remarks |\n|---|---|---|---|---|---|\n";
    std::string unsupported = "| distribution | ID | why not |\n|---|---|---|\n";
    const host::SupportMatrix matrix = host::SupportMatrix::built_in();
    for (const host::Distribution& line : matrix.distributions()) {
        if (line.unsupported.empty())
            supported += fmt::format("| {} | `{}` | {} | {} | {}, {} | {} |\n", line.name, line.id,
                                     line.minimum_text == "0" ? "any" : line.minimum_text,
                                     line.known_texts.empty() ? "–" : join(line.known_texts, ", "),
                                     to_string(line.family), to_string(line.package_manager), notes_of(line));
        else
            unsupported += fmt::format("| {} | `{}` | {} |\n", line.name, line.id, line.unsupported);
    }
    return supported + "\nRefused (exit 10), and with them whatever is not in this file:\n\n" + unsupported;
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "support") {
        command_line::print(support_tables());
        return command_line::flush_output() ? 0 : 1;
    }
    return command_line::print_reference(installer::program(), argc, argv);
}
