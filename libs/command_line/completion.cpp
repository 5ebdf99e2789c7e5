#include "completion.h"

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "words.h"

namespace picket::command_line {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
}

void add_once(std::vector<std::string>& texts, std::string text) {
    if (std::find(texts.begin(), texts.end(), text) == texts.end())
        texts.push_back(std::move(text));
}

} // namespace

std::string shell_quoted(std::string_view text) {
    std::string quoted(text);
    replace_all(quoted, "'", "'\\''");
    return fmt::format("'{}'", quoted);
}

std::string choice_words(const Option& option) {
    std::string words(option.choices);
    std::replace(words.begin(), words.end(), '|', ' ');
    return words;
}

std::vector<std::string> unfinished_words(const Program& program) {
    std::vector<std::string> found;
    for (const Verb& verb : program.verbs) {
        add_once(found, "");
        for (auto end = verb.words.find(' '); end != std::string_view::npos; end = verb.words.find(' ', end + 1))
            add_once(found, std::string(verb.words.substr(0, end)));
    }
    return found;
}

std::string valued_options(const Program& program) {
    std::vector<std::string> names;
    const auto add = [&](const std::vector<Option>& options) {
        for (const Option& option : options) {
            if (option.is_positional() || option.is_switch())
                continue;
            add_once(names, std::string(option.name));
            if (option.short_name != 0)
                add_once(names, fmt::format("-{}", option.short_name));
        }
    };
    add(program.global_options);
    for (const Verb& verb : program.verbs)
        add(verb.options);
    return join(names, " | ");
}

std::string filled(std::string_view text, const Program& program,
                   const std::vector<std::pair<std::string_view, std::string>>& parts) {
    std::string function = fmt::format("_{}", program.name);
    std::replace(function.begin(), function.end(), '-', '_');
    std::string result(text);
    for (const auto& [name, value] : parts)
        replace_all(result, name, value);
    replace_all(result, "@valued@", valued_options(program));
    replace_all(result, "@function@", function);
    replace_all(result, "@program@", program.name);
    return result;
}

} // namespace picket::command_line
