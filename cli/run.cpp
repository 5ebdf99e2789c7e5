#include <cstdio>
#include <map>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "context.h"
#include "session.h"

namespace picket::cli {
namespace {

using command_line::Format;
using command_line::Option;

/// Options that are two ways to say one parameter: exactly one of them has to be there.
std::optional<command_line::Failure> check_alternatives(const Context& context) {
    std::map<std::string_view, std::vector<std::string>> written;
    std::map<std::string_view, std::size_t> given;
    for (const Option& option : context.row.verb.options) {
        written[option.field].emplace_back(option.name);
        given[option.field] += context.has(option.name) ? 1U : 0U;
    }
    for (const auto& [field, names] : written)
        if (!field.empty() && names.size() > 1 && given[field] != 1)
            return make_failure(CliExit::usage, "usage", fmt::format("exactly one of {} is needed", join(names, ", ")),
                                fmt::format("see \"picket {} --help\"", context.row.verb.words));
    return std::nullopt;
}

void add_parameter(data::Json& parameters, const Option& option, const std::string& value) {
    const std::string field(option.field);
    if (option.is_switch())
        parameters[field] = true;
    else if (option.kind == command_line::ValueKind::integer)
        parameters[field] = parse_unsigned(value).value_or(0);
    else if (option.kind == command_line::ValueKind::path)
        data::set_path(parameters, field, command_line::absolute_path(value));
    else
        data::set_path(parameters, field, value); // a name may be as little UTF-8 as a path
}

void show_list(const Context& context, const data::Json& result) {
    const data::Json& rows = data::member(result, context.row.list);
    if (!rows.is_array() || rows.empty()) {
        command_line::print(fmt::format("{}\n", context.row.empty));
    } else if (context.format != Format::text) {
        command_line::print(command_line::render_table(context.row.columns, rows, command_line::Terminal::of(stdout)));
    } else {
        const auto order = order_of(context.row);
        std::vector<std::string> blocks;
        for (const data::Json& row : rows)
            blocks.push_back(command_line::render_fields(row, order));
        command_line::print(join(blocks, "\n"));
    }
}

void show_object(const Context& context, const data::Json& result) {
    const auto order = order_of(context.row);
    command_line::print(command_line::render_fields(result, order));
}

} // namespace

int Context::fail(const command_line::Failure& failure) const {
    return command_line::report_failure("picket", failure, format.value_or(Format::text));
}

data::Json parameters_of(const Context& context) {
    data::Json parameters = data::Json::object();
    if (!context.row.fixed.empty())
        parameters = data::parse_json(context.row.fixed).value();
    for (const Option& option : context.row.verb.options)
        if (!option.field.empty() && context.has(option.name))
            add_parameter(parameters, option, context.get(option.name));
    return parameters;
}

int run_method(const Context& context) {
    if (const auto problem = check_alternatives(context))
        return context.fail(*problem);
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    const auto result = session.value->call(std::string(context.row.method), parameters_of(context));
    return result ? show(context, *result.value) : context.fail(result.failure);
}

namespace {

/// What a change made less safe: to standard error, for the change itself is done.
void show_warnings(const data::Json& result) {
    for (const std::string& warning : data::strings_of(data::member(result, "warnings")))
        std::fputs(fmt::format("picket: warning: {}\n", escape_for_display(warning)).c_str(), stderr);
}

} // namespace

int show(const Context& context, const data::Json& result) {
    if (context.json())
        command_line::print(command_line::envelope(context.row.kind, result));
    else if (!context.row.done.empty())
        command_line::print(data::bool_or(result, "changed", true) ? fmt::format("{}\n", context.row.done)
                                                                   : "nothing to change\n");
    else if (!context.row.list.empty())
        show_list(context, result);
    else
        show_object(context, result);
    if (!context.json() && !context.row.done.empty())
        show_warnings(result);
    return static_cast<int>(CliExit::done);
}

} // namespace picket::cli
