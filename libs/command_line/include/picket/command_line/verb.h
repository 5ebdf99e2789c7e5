#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A program's command line as a table of data: parsing, --help, manual pages and completion all read the same rows.
namespace picket::command_line {

enum class ValueKind {
    text,
    path,    ///< made absolute by absolute_path() where it leaves this process
    integer, ///< unsigned, base 10
};

struct Option {
    std::string_view name;  ///< "--path"; a name without dashes is a positional argument ("FILE")
    std::string_view value; ///< what stands for its value in the help; "" = a switch
    std::string_view help;
    bool required = false;
    bool repeatable = false;
    ValueKind kind = ValueKind::text;
    std::string_view choices{}; ///< "text|table|json"; "" = anything
    std::string_view field{};   ///< what the value is called in a request or a configuration file
    char short_name = 0;

    bool is_positional() const { return !name.starts_with('-'); }
    bool is_switch() const { return !is_positional() && value.empty(); }
};

struct Verb {
    std::string_view words;   ///< "threat quarantine list"
    std::string_view summary; ///< one line
    std::vector<Option> options;
    std::vector<std::string_view> examples;
    std::string_view note{}; ///< a paragraph below the summary
};

struct ExitStatus {
    int code;
    std::string_view meaning;
};

struct NamedFile {
    std::string_view path;
    std::string_view is;
};

struct Program {
    std::string_view name;
    std::string_view summary;
    std::vector<Option> global_options;
    std::vector<Verb> verbs;
    std::vector<ExitStatus> exit_codes{};
    // What only manual page and reference have.
    int section = 1;
    std::string_view description{}; ///< paragraphs, an empty line between two
    std::vector<NamedFile> files{};
    std::vector<std::string_view> see_also{}; ///< "picketd(8)"
};

/// What the user asked for; every value has been held against its Option.
struct Invocation {
    const Verb* verb = nullptr;
    std::map<std::string, std::vector<std::string>, std::less<>> values; ///< by Option::name

    bool has(std::string_view name) const { return values.contains(name); }
    std::string get(std::string_view name, std::string_view fallback = "") const;
    const std::vector<std::string>& all(std::string_view name) const;
};

struct UsageError {
    std::string message;
    std::string fix; ///< what was probably meant, and where the help is
};

/// Exactly one of the three is set.
struct ParseOutcome {
    std::optional<Invocation> invocation;
    std::optional<std::string> help; ///< print it, exit 0
    std::optional<UsageError> error; ///< exit 2
};

/// `arguments` without argv[0]. `program` must outlive the result. Options may stand before, between and behind the
/// verb's words. "help WORDS", "--help" and "-h" ask for help anywhere.
ParseOutcome parse(const Program& program, const std::vector<std::string>& arguments);

/// The help of one verb, of all verbs that begin with `words`, or of the program (words empty).
std::string help_text(const Program& program, std::string_view words);

/// The value of a global option as far as it can be seen in arguments that may be wrong, so that even a usage error
/// is told in the format that was asked for.
std::string peek_option(const std::vector<std::string>& arguments, std::string_view name);

/// `path` against the working directory, "." and double slashes taken out, ".." kept for the kernel; no link is read.
std::string absolute_path(std::string_view path);

} // namespace picket::command_line
