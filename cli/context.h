#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/command_line/output.h>
#include <picket/command_line/verb.h>
#include <picket/data/json.h>

namespace picket::cli {

struct Row;

/// One run of the program: what was asked for, and how to answer.
struct Context {
    const command_line::Invocation& invocation;
    const Row& row;
    std::optional<command_line::Format> format; ///< none = what suits the verb
    std::string socket;

    bool json() const { return format == command_line::Format::json; }
    bool has(std::string_view option) const { return invocation.has(option); }
    std::string get(std::string_view option) const { return invocation.get(option); }
    /// Reports it and returns its exit code.
    int fail(const command_line::Failure& failure) const;
};

using Handler = int (*)(const Context&);

/// A verb of `picket`: everything that is known of it, in one place.
struct Row {
    command_line::Verb verb;
    bool needs_root = false;   ///< for the help; the daemon decides
    std::string_view kind;     ///< of the JSON envelope
    std::string_view method{}; ///< of the control protocol
    std::string_view fixed{};  ///< JSON: parameters that the words themselves stand for
    std::string_view list{};   ///< the member of the result that holds rows; "" = the result is one object
    std::vector<command_line::Column> columns{}; ///< of a table
    std::vector<std::string_view> fields{};      ///< order in which one object is shown; empty = as columns
    std::string_view empty{};                    ///< said where there are no rows
    std::string_view done{};                     ///< said of a change, instead of its result
    Handler run = nullptr;                       ///< nullptr = call the method, show the result
};

const std::vector<Row>& rows();
/// Row::fields, or what stands for them.
std::vector<std::string_view> order_of(const Row& row);
/// The rows as a command line.
const command_line::Program& program();
/// The row that `verb` of program() belongs to.
const Row& row_of(const command_line::Verb& verb);

/// Calls the row's method with its options as parameters and shows the result.
int run_method(const Context& context);
/// What the row's method is called with: its options, and what its words stand for.
data::Json parameters_of(const Context& context);
/// Shows a result in the way the row says. Returns 0.
int show(const Context& context, const data::Json& result);

int run_config(const Context& context);
int run_connectivity(const Context& context);
int run_definitions(const Context& context);
int run_event_follow(const Context& context);
int run_event_verify(const Context& context);
int run_health(const Context& context);
int run_quarantine_add(const Context& context);
int run_quarantine_restore(const Context& context);
int run_diagnostic_create(const Context& context);
int run_profile_diff(const Context& context);
int run_profile_explain(const Context& context);
int run_profile_import_mde(const Context& context);
int run_profile_render(const Context& context);
int run_profile_show(const Context& context);
int run_profile_validate(const Context& context);
int run_scan(const Context& context);
int run_scan_custom(const Context& context);
int run_selftest(const Context& context);
int run_statistics(const Context& context);
int run_top(const Context& context);
int run_version(const Context& context);

/// A scan with the caller's own rights: descriptors over the socket, nothing is changed.
int run_own_scan(const Context& context, const std::string& path);

} // namespace picket::cli
