#include <fmt/format.h>
#include <picket/command_line/output.h>

#include "context.h"
#include "session.h"

namespace picket::cli {
namespace {

int show_setting(const Context& context, Session& session, const std::string& name) {
    const auto result = session.call("config.show", {{"name", name}});
    if (!result)
        return context.fail(result.failure);
    const data::Json& settings = data::member(*result.value, "settings");
    if (!settings.is_array() || settings.empty())
        return context.fail(make_failure(CliExit::usage, "usage", fmt::format("{} is no setting", name),
                                         "\"picket config show\" lists them"));
    return show(context, settings.front());
}

} // namespace

int run_config(const Context& context) {
    const std::string name = context.get("NAME");
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    if (!context.has("--value"))
        return show_setting(context, *session.value, name);
    const auto result = session.value->call("config.set", {{"name", name}, {"value", context.get("--value")}});
    if (!result)
        return context.fail(result.failure);
    if (context.json())
        return show(context, *result.value);
    command_line::print(data::bool_or(*result.value, "changed", true)
                            ? fmt::format("{} is now {}\n", command_line::value_text(*result.value, "name"),
                                          command_line::value_text(*result.value, "value"))
                            : "nothing to change\n");
    return static_cast<int>(CliExit::done);
}

} // namespace picket::cli
