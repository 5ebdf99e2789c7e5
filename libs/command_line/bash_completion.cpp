#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/reference.h>

#include "completion.h"
#include "words.h"

namespace picket::command_line {
namespace {

/// Stands among the words for "the name of a file".
constexpr std::string_view kFile = "/";

constexpr std::string_view kTemplate = R"sh(# Completion of @program@ for bash, made from its verb table.

# What may follow the words of a command.
@function@_next() {
  case $1 in
@next@  esac
}

# The options of a command.
@function@_options() {
  case $1 in
@options@  esac
  echo '@global_options@ --help'
}

# What the value of a command's option may be ("/": a file's name); of "" what its arguments may be.
@function@_values() {
  case "$1 $2" in
@values@  esac
}

@function@_takes_value() {
  case $1 in
    @valued@) ;;
    *) return 1 ;;
  esac
}

@function@() {
  local current=${COMP_WORDS[COMP_CWORD]} verb='' option='' has_arguments='' word words i
  [[ $current != '=' ]] || current=''
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ $word == '=' || (-z $verb && $word == help) ]]; then
      continue
    elif [[ -n $option ]]; then
      option=''
    elif [[ $word == -* ]]; then
      ! @function@_takes_value "$word" || option=$word
    elif [[ -z $has_arguments && " $(@function@_next "$verb") " == *" $word "* ]]; then
      verb=${verb:+$verb }$word
    else
      has_arguments=1
    fi
  done
  if [[ -n $option ]]; then
    words=$(@function@_values "$verb" "$option")
  elif [[ $current == -* ]]; then
    words=$(@function@_options "$verb")
  else
    words=$(@function@_values "$verb" '')
    [[ -n $has_arguments ]] || words+=" $(@function@_next "$verb")"
  fi
  [[ " $words " != *' / '* ]] || compopt -o default
  mapfile -t COMPREPLY < <(compgen -W "${words/#\//}" -- "$current")
}

complete -F @function@ @program@
)sh";

std::string alternative(std::string_view pattern, std::string_view printed) {
    return fmt::format("    {}) echo {} ;;\n", pattern, shell_quoted(printed));
}

std::string names_of(const std::vector<Option>& options) {
    std::string names;
    for (const Option& option : options)
        if (!option.is_positional())
            names += fmt::format("{}{}", names.empty() ? "" : " ", option.name);
    return names;
}

std::string next(const Program& program) {
    std::string text;
    for (const std::string& words : unfinished_words(program))
        text += alternative(shell_quoted(words),
                            join(next_words(program, words, false), " ") + (words.empty() ? " help" : ""));
    return text;
}

std::string options(const Program& program) {
    std::string text;
    for (const Verb& verb : program.verbs)
        if (const std::string names = names_of(verb.options); !names.empty())
            text += alternative(shell_quoted(verb.words), names);
    return text;
}

/// Of one verb, or of every verb (nullptr).
std::string values_of(const std::vector<Option>& all, const Verb* verb) {
    const auto pattern = [verb](const std::string& name) {
        return verb == nullptr ? "*" + shell_quoted(" " + name) : shell_quoted(fmt::format("{} {}", verb->words, name));
    };
    std::string text;
    for (const Option& option : all) {
        const std::string words = option.kind == ValueKind::path ? std::string(kFile) : choice_words(option);
        if (words.empty())
            continue;
        std::string patterns = pattern(option.is_positional() ? "" : std::string(option.name));
        if (option.short_name != 0)
            patterns += " | " + pattern(fmt::format("-{}", option.short_name));
        text += alternative(patterns, words);
    }
    return text;
}

std::string values(const Program& program) {
    std::string text;
    for (const Verb& verb : program.verbs)
        text += values_of(verb.options, &verb);
    return text + values_of(program.global_options, nullptr);
}

} // namespace

std::string bash_completion(const Program& program) {
    return filled(kTemplate, program,
                  {{"@next@", next(program)},
                   {"@options@", options(program)},
                   {"@global_options@", names_of(program.global_options)},
                   {"@values@", values(program)}});
}

} // namespace picket::command_line
