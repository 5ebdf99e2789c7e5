#pragma once
#include <picket/command_line/verb.h>

/// Verbs by their words, options as they are written. Internal to libs/command_line.
namespace picket::command_line {

const Verb* find_verb(const Program& program, std::string_view words);
/// Words that may follow `words`, in the table's order, each once. With `count_itself`, a verb or group of exactly
/// these words counts too (as ""): not empty = `words` begins something.
std::vector<std::string> next_words(const Program& program, std::string_view words, bool count_itself);

/// "-o, --out FILE"
std::string written(const Option& option);
/// Its help, with what it may be: "how to print (text, json)".
std::string explained(const Option& option);
/// "tool scan --path PATH [--limit N]"
std::string usage_of(const Program& program, const Verb& verb);

} // namespace picket::command_line
