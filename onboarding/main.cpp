#include <string>
#include <vector>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/command_line/output.h>
#include <picket/model/exit_code.h>
#include <picket/sys/start.h>

#include "context.h"

namespace picket::onboarding {
namespace {

using command_line::Failure;
using command_line::Format;

constexpr std::string_view kName = "picket-onboarding";

struct Row {
    std::string_view words;
    int (*run)(const Context&);
};
constexpr Row kRows[] = {{"init", run_init},
                         {"create", run_create},
                         {"inspect", run_inspect},
                         {"verify", run_verify},
                         {"definitions publish", run_publish}};

int run(const std::vector<std::string>& arguments) {
    const auto outcome = command_line::parse(program(), arguments);
    if (outcome.help) {
        command_line::print(*outcome.help);
        return 0;
    }
    if (outcome.error) {
        const auto format = command_line::format_from(command_line::peek_option(arguments, "--output"));
        return command_line::report_failure(
            kName, {static_cast<int>(InstallerExit::usage), "usage", outcome.error->message, outcome.error->fix},
            format.value_or(Format::text));
    }
    const Context context{*outcome.invocation,
                          command_line::format_from(outcome.invocation->get("--output")).value_or(Format::text)};
    for (const Row& row : kRows)
        if (row.words == outcome.invocation->verb->words)
            return row.run(context);
    return 1;
}

} // namespace

int fail(const Context& context, int exit_code, std::string_view name, const std::string& message,
         const std::string& fix) {
    return command_line::report_failure(kName, {exit_code, std::string(name), message, fix}, context.format);
}

int fail(const Context& context, const Error& error) {
    const bool usage = error.code() == ErrorCode::invalid_input;
    return fail(context, static_cast<int>(usage ? InstallerExit::usage : InstallerExit::internal),
                to_string(error.code()), error.message());
}

int show(const Context& context, std::string_view kind, const data::Json& data,
         const std::vector<std::string_view>& order) {
    command_line::print(context.format == Format::json ? command_line::envelope(kind, data)
                                                       : command_line::render_fields(data, order));
    return 0;
}

} // namespace picket::onboarding

int main(int argc, char** argv) {
    using namespace picket;
    sys::start_clean({"HOME", "XDG_CONFIG_HOME"});
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    try {
        if (arguments == std::vector<std::string>{"--version"}) {
            command_line::print(fmt::format("{} {}\n", onboarding::kName, build::version()));
            return command_line::flush_output() ? 0 : 1;
        }
        const int code = onboarding::run(arguments);
        if (command_line::flush_output())
            return code;
        return command_line::report_failure(onboarding::kName, {1, "failed", "the output could not be written", ""},
                                            command_line::Format::text);
    } catch (const std::exception& error) {
        return command_line::report_failure(onboarding::kName, {1, "internal", error.what(), "report it as a bug"},
                                            command_line::Format::text);
    }
}
