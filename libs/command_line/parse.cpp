#include <algorithm>
#include <set>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/verb.h>

#include "words.h"

namespace picket::command_line {
namespace {

bool is_option(std::string_view argument) {
    return argument.size() > 1 && argument[0] == '-';
}

std::string_view name_part(std::string_view argument) {
    return argument.substr(0, argument.find('='));
}

bool names(const Option& option, std::string_view written) {
    return option.name == written ||
           (option.short_name != 0 && written.size() == 2 && written[0] == '-' && written[1] == option.short_name);
}

const Option* find_option(const std::vector<Option>& options, std::string_view written) {
    for (const Option& option : options)
        if (!option.is_positional() && names(option, written))
            return &option;
    return nullptr;
}

/// Looks everywhere: before its verb is known, an option must still take its value along.
const Option* find_anywhere(const Program& program, std::string_view written) {
    if (const Option* option = find_option(program.global_options, written))
        return option;
    for (const Verb& verb : program.verbs)
        if (const Option* option = find_option(verb.options, written))
            return option;
    return nullptr;
}

/// The command line, taken apart into the verb's words and everything else in its order.
struct Sorted {
    std::string words;
    std::vector<std::string> rest;
    bool wants_help = false;
    std::optional<std::string> stray; ///< a word that continues nothing
};

class Sorter {
  public:
    Sorter(const Program& program, const std::vector<std::string>& arguments)
        : program_(program), arguments_(arguments) {}

    Sorted sort() {
        for (at_ = 0; at_ < arguments_.size() && !sorted_.stray; ++at_) {
            const std::string& argument = arguments_[at_];
            if (argument == "--") {
                sorted_.rest.insert(sorted_.rest.end(), arguments_.begin() + static_cast<std::ptrdiff_t>(at_),
                                    arguments_.end());
                break;
            }
            if (is_option(argument))
                take_option(argument);
            else
                take_word(argument);
        }
        return std::move(sorted_);
    }

  private:
    void take_option(const std::string& argument) {
        if (argument == "--help" || argument == "-h") {
            sorted_.wants_help = true;
            return;
        }
        sorted_.rest.push_back(argument);
        const Option* option = find_anywhere(program_, argument);
        if (option != nullptr && !option->is_switch() && at_ + 1 < arguments_.size())
            sorted_.rest.push_back(arguments_[++at_]);
    }
    void take_word(const std::string& argument) {
        if (sorted_.words.empty() && argument == "help" && !sorted_.wants_help) {
            sorted_.wants_help = true;
            return;
        }
        const std::string longer = sorted_.words.empty() ? argument : sorted_.words + " " + argument;
        if (!complete_ && !next_words(program_, longer, true).empty())
            sorted_.words = longer;
        else if (find_verb(program_, sorted_.words) != nullptr)
            complete_ = true, sorted_.rest.push_back(argument);
        else
            sorted_.stray = argument;
    }

    const Program& program_;
    const std::vector<std::string>& arguments_;
    Sorted sorted_;
    std::size_t at_ = 0;
    bool complete_ = false;
};

std::string help_hint(const Program& program, std::string_view words) {
    return words.empty() ? fmt::format("see \"{} --help\"", program.name)
                         : fmt::format("see \"{} {} --help\"", program.name, words);
}

UsageError usage(std::string message, const std::optional<std::string>& meant, const std::string& hint) {
    return {std::move(message), meant ? fmt::format("did you mean \"{}\"? {}", *meant, hint) : hint};
}

UsageError stray_word(const Program& program, const Sorted& sorted) {
    const auto candidates = next_words(program, sorted.words, false);
    const auto nearest = closest_match(*sorted.stray, candidates);
    std::optional<std::string> meant;
    if (nearest)
        meant = sorted.words.empty() ? *nearest : sorted.words + " " + *nearest;
    const std::string shown = sorted.words.empty() ? *sorted.stray : sorted.words + " " + *sorted.stray;
    return usage(fmt::format("\"{}\" is no command", shown), meant, help_hint(program, sorted.words));
}

UsageError incomplete(const Program& program, const std::string& words) {
    const std::string choices = join(next_words(program, words, false), ", ");
    if (words.empty())
        return {"a command is missing", help_hint(program, "")};
    return {fmt::format("\"{}\" needs one more word: {}", words, choices), help_hint(program, words)};
}

std::optional<UsageError> unknown_option(const Program& program, const Verb& verb,
                                         const std::vector<std::string>& rest) {
    std::vector<std::string> known = {"--help"};
    for (const auto* options : {&verb.options, &program.global_options})
        for (const Option& option : *options)
            if (!option.is_positional())
                known.emplace_back(option.name);
    for (std::size_t i = 0; i < rest.size() && rest[i] != "--"; ++i) {
        if (!is_option(rest[i]))
            continue;
        const std::string_view written = name_part(rest[i]);
        const Option* option = find_option(verb.options, written);
        if (option == nullptr)
            option = find_option(program.global_options, written);
        if (option == nullptr)
            return usage(fmt::format("{} is no option of \"{}\"", written, verb.words), closest_match(written, known),
                         help_hint(program, verb.words));
        if (!option->is_switch() && written.size() == rest[i].size())
            ++i;
    }
    return std::nullopt;
}

std::optional<std::string> problem_of_value(const Option& option, const std::string& value) {
    if (value.find('\0') != std::string::npos || (value.empty() && option.kind != ValueKind::text))
        return fmt::format("{} must not be empty", option.name);
    if (option.kind == ValueKind::integer && !parse_unsigned(value))
        return fmt::format("{} must be a number, not \"{}\"", option.name, value);
    if (!option.choices.empty()) {
        const auto choices = split(option.choices, '|');
        if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
            std::vector<std::string> texts(choices.begin(), choices.end());
            const auto meant = closest_match(value, texts);
            return fmt::format("{} must be one of {}, not \"{}\"{}", option.name, join(texts, ", "), value,
                               meant ? fmt::format("; did you mean {}?", *meant) : "");
        }
    }
    return std::nullopt;
}

/// CLI11's part: which argument belongs to which option, what is missing and what is too much.
class Reader {
  public:
    Reader(const Program& program, const Verb& verb) : app_(std::string(verb.words)) {
        app_.set_help_flag();
        add(verb.options);
        add(program.global_options);
    }

    std::optional<std::string> read(std::vector<std::string> arguments, Invocation& invocation) {
        try {
            std::reverse(arguments.begin(), arguments.end()); // CLI11 takes them from the back
            app_.parse(std::move(arguments));
        } catch (const CLI::Error& error) {
            return std::string(error.what());
        } catch (const std::exception& error) {
            return std::string(error.what());
        }
        for (const auto& [option, parsed] : options_)
            if (auto problem = take(*option, *parsed, invocation))
                return problem;
        return std::nullopt;
    }

  private:
    void add(const std::vector<Option>& options) {
        for (const Option& option : options) {
            std::string written(option.name);
            if (option.short_name != 0)
                written = fmt::format("-{},{}", option.short_name, written);
            CLI::Option* parsed = option.is_switch() ? app_.add_flag(written) : app_.add_option(written);
            if (option.required)
                parsed->required();
            if (!option.is_switch()) {
                parsed->expected(1, option.is_positional() && option.repeatable ? CLI::detail::expected_max_vector_size
                                                                                : 1);
                // Else a value "[a]" would be read as a list.
                parsed->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
                    ->allow_extra_args(option.is_positional() && option.repeatable);
            }
            options_.emplace_back(&option, parsed);
        }
    }
    static std::optional<std::string> take(const Option& option, const CLI::Option& parsed, Invocation& invocation) {
        if (parsed.count() == 0)
            return std::nullopt;
        auto& values = invocation.values[std::string(option.name)];
        if (option.is_switch())
            return std::nullopt;
        values = parsed.results();
        if (values.size() > 1 && !option.repeatable)
            return fmt::format("{} is given {} times; once is enough", option.name, values.size());
        for (const std::string& value : values)
            if (auto problem = problem_of_value(option, value))
                return problem;
        return std::nullopt;
    }

    CLI::App app_;
    std::vector<std::pair<const Option*, CLI::Option*>> options_;
};

} // namespace

std::string Invocation::get(std::string_view name, std::string_view fallback) const {
    const auto found = values.find(name);
    return found == values.end() || found->second.empty() ? std::string(fallback) : found->second.back();
}

const std::vector<std::string>& Invocation::all(std::string_view name) const {
    static const std::vector<std::string> kNone;
    const auto found = values.find(name);
    return found == values.end() ? kNone : found->second;
}

ParseOutcome parse(const Program& program, const std::vector<std::string>& arguments) {
    const Sorted sorted = Sorter(program, arguments).sort();
    if (sorted.stray)
        return {.error = stray_word(program, sorted)};
    if (sorted.wants_help)
        return {.help = help_text(program, sorted.words)};
    const Verb* verb = find_verb(program, sorted.words);
    if (verb == nullptr)
        return {.error = incomplete(program, sorted.words)};
    if (auto unknown = unknown_option(program, *verb, sorted.rest))
        return {.error = std::move(unknown)};
    Invocation invocation;
    invocation.verb = verb;
    Reader reader(program, *verb);
    if (auto problem = reader.read(sorted.rest, invocation))
        return {.error = UsageError{std::move(*problem), help_hint(program, verb->words)}};
    return {.invocation = std::move(invocation)};
}

std::string peek_option(const std::vector<std::string>& arguments, std::string_view name) {
    for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
        if (arguments[i] == name && i + 1 < arguments.size())
            return arguments[i + 1];
        if (arguments[i].starts_with(fmt::format("{}=", name)))
            return arguments[i].substr(name.size() + 1);
    }
    return "";
}

} // namespace picket::command_line
