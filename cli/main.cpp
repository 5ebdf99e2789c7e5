#include <string>
#include <vector>

#include <picket/model/exit_code.h>
#include <picket/model/paths.h>
#include <picket/sys/start.h>

#include "context.h"
#include "session.h"

namespace {

using namespace picket;
using namespace picket::cli;
using command_line::Format;

int run(const std::vector<std::string>& arguments) {
    const auto outcome = command_line::parse(program(), arguments);
    if (outcome.help) {
        command_line::print(*outcome.help);
        return 0;
    }
    if (outcome.error) {
        const auto format = command_line::format_from(command_line::peek_option(arguments, "--output"));
        return command_line::report_failure(
            "picket", make_failure(CliExit::usage, "usage", outcome.error->message, outcome.error->fix),
            format.value_or(Format::text));
    }
    const command_line::Invocation& invocation = *outcome.invocation;
    const Context context{invocation, row_of(*invocation.verb), command_line::format_from(invocation.get("--output")),
                          invocation.get("--socket", paths::kControlSocket)};
    return context.row.run == nullptr ? run_method(context) : context.row.run(context);
}

} // namespace

int main(int argc, char** argv) {
    picket::sys::start_clean();
    std::vector<std::string> arguments =
        argc > 1 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>();
    if (arguments == std::vector<std::string>{"--version"})
        arguments = {"version"};
    try {
        const int code = run(arguments);
        if (picket::command_line::flush_output())
            return code;
        return picket::command_line::report_failure(
            "picket", make_failure(CliExit::failed, "failed", "the output could not be written"), Format::text);
    } catch (const std::exception& error) {
        return picket::command_line::report_failure(
            "picket", make_failure(CliExit::failed, "internal", error.what(), "report it as a bug"), Format::text);
    }
}
