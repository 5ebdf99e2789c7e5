#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/reference.h>

#include "completion.h"
#include "words.h"

namespace picket::command_line {
namespace {

constexpr std::string_view kTemplate = R"sh(#compdef @program@
# Completion of @program@ for zsh, made from its verb table.

# What may follow the words of a command, with what it does, into $next.
@function@_next() {
  next=()
  case $1 in
@next@  esac
}

# Options and arguments of a command, as _arguments takes them, into $specifications.
@function@_specifications() {
  specifications=(
@global_options@    '(-h --help)'{-h,--help}'[explain the command]'
  )
  case $1 in
@specifications@  esac
}

@function@_takes_value() {
  case $1 in
    (@valued@) ;;
    (*) return 1 ;;
  esac
}

@function@() {
  local verb= word
  local -i at=1 i has_arguments=0 result=1
  local -a next specifications
  @function@_next ''
  for ((i = 2; i < CURRENT; ++i)); do
    word=$words[i]
    if @function@_takes_value $word; then
      (( ++i ))
    elif [[ $word == -* || ( -z $verb && $word == help ) ]]; then
      continue
    elif (( ${next[(I)${(b)word}:*]} )); then
      verb=${verb:+$verb }$word
      at=i
      @function@_next $verb
    else
      has_arguments=1
      break
    fi
  done
  if (( ! has_arguments && i == CURRENT && $#next )) && [[ $PREFIX != -* ]]; then
    _describe -t commands command next && result=0
  fi
  @function@_specifications $verb
  words=("$verb" "${(@)words[at+1,-1]}")
  (( CURRENT -= at - 1 ))
  _arguments -S $specifications && result=0
  return result
}

@function@ "$@"
)sh";

std::string escaped(std::string_view text, std::string_view special) {
    std::string result;
    for (const char character : text) {
        if (character == '\\' || special.find(character) != std::string_view::npos)
            result += '\\';
        result += character;
    }
    return result;
}

/// ":PATH:_files"
std::string value_of(const Option& option) {
    if (option.is_switch())
        return "";
    std::string action = " ";
    if (option.kind == ValueKind::path)
        action = "_files";
    else if (!option.choices.empty())
        action = fmt::format("({})", choice_words(option));
    return fmt::format(":{}:{}", escaped(option.is_positional() ? option.name : option.value, ":"), action);
}

std::string line(const std::string& specification) {
    return fmt::format("    {}\n", shell_quoted(specification));
}

std::string specifications(const std::vector<Option>& options) {
    std::string text;
    for (const Option& option : options) {
        const std::string repeated = option.repeatable ? "*" : "";
        if (option.is_positional()) {
            text += line(repeated + value_of(option));
            continue;
        }
        const std::string rest = fmt::format("[{}]{}", escaped(option.help, "[]"), value_of(option));
        text += line(fmt::format("{}{}{}{}", repeated, option.name, option.is_switch() ? "" : "=", rest));
        if (option.short_name != 0)
            text += line(fmt::format("{}-{}{}", repeated, option.short_name, rest));
    }
    return text;
}

std::string does(const Program& program, const std::string& words) {
    const Verb* verb = find_verb(program, words);
    return verb == nullptr ? join(next_words(program, words, false), ", ") : std::string(verb->summary);
}

std::string next(const Program& program) {
    std::string text;
    for (const std::string& words : unfinished_words(program)) {
        text += fmt::format("    ({}) next=(\n", shell_quoted(words));
        for (const std::string& word : next_words(program, words, false)) {
            const std::string all = words.empty() ? word : fmt::format("{} {}", words, word);
            text += "    " + line(fmt::format("{}:{}", word, escaped(does(program, all), "")));
        }
        if (words.empty())
            text += "    " + line("help:Explains a command.");
        text += "    ) ;;\n";
    }
    return text;
}

std::string verb_specifications(const Program& program) {
    std::string text;
    for (const Verb& verb : program.verbs)
        if (!verb.options.empty())
            text += fmt::format("    ({}) specifications+=(\n{}    ) ;;\n", shell_quoted(verb.words),
                                specifications(verb.options));
    return text;
}

} // namespace

std::string zsh_completion(const Program& program) {
    return filled(kTemplate, program,
                  {{"@next@", next(program)},
                   {"@global_options@", specifications(program.global_options)},
                   {"@specifications@", verb_specifications(program)}});
}

} // namespace picket::command_line
