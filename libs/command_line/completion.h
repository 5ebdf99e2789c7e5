#pragma once
#include <picket/command_line/verb.h>

/// What the completions of both shells share. Internal to libs/command_line.
namespace picket::command_line {

/// `text` so that the shell reads it back as one word.
std::string shell_quoted(std::string_view text);

/// Option::choices with spaces between.
std::string choice_words(const Option& option);

/// The words that something follows, in the table's order: "", "threat", "threat quarantine".
std::vector<std::string> unfinished_words(const Program& program);

/// Global options and those of all verbs that take a value, as alternatives of a `case`: "--path | --limit".
std::string valued_options(const Program& program);

/// The template of a completion: @program@ and @function@ (a name made from it) stand for the program, @NAME@ for
/// what `parts` says.
std::string filled(std::string_view text, const Program& program,
                   const std::vector<std::pair<std::string_view, std::string>>& parts);

} // namespace picket::command_line
