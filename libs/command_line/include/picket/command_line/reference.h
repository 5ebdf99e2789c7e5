#pragma once
#include <string>

#include <picket/command_line/verb.h>

/// What people and shells read about a program's commands, made from its verb table. The same table gives the same
/// text. Used where Picket is built; no shipped program links it.
namespace picket::command_line {

struct Release {
    std::string version;
    std::string date; ///< "2026-11-24"
};

/// For man(1): roff with the man macros, UTF-8.
std::string manual_page(const Program& program, const Release& release);
std::string markdown_reference(const Program& program);
/// Sourced by bash; needs no package of helpers.
std::string bash_completion(const Program& program);
/// A file of zsh's $fpath, called "_" and the program's name.
std::string zsh_completion(const Program& program);
/// All commands in one paragraph of Markdown: "`scan quick | full`", in lines for reading as they are.
std::string summary_paragraph(const Program& program);
/// Every example of the table, one a line.
std::string examples(const Program& program);

/// main() of a program that prints one of these: manual, markdown, bash, zsh, overview or examples. A manual page
/// carries the date of SOURCE_DATE_EPOCH, or of the build.
int print_reference(const Program& program, int argc, char** argv);

} // namespace picket::command_line
