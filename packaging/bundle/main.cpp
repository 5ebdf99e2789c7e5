#include <string>
#include <vector>

#include <picket/model/exit_code.h>

#include "context.h"

namespace picket::bundle {
namespace {

using command_line::Format;

constexpr std::string_view kName = "picket-bundle";

struct Row {
    std::string_view words;
    Result<data::Json> (*run)(const Context&);
};
constexpr Row kRows[] = {{"keys", run_keys}, {"make", run_make}, {"verify", run_verify}, {"sign", run_sign}};

int exit_code_of(const Error& error, bool verifying) {
    switch (error.code()) {
    case ErrorCode::permission:
    case ErrorCode::unavailable:
    case ErrorCode::internal:
        return static_cast<int>(InstallerExit::internal);
    case ErrorCode::not_found:
        return static_cast<int>(InstallerExit::usage);
    case ErrorCode::invalid_input:
        return static_cast<int>(verifying ? InstallerExit::bundle_refused : InstallerExit::usage);
    default:
        return static_cast<int>(verifying ? InstallerExit::bundle_refused : InstallerExit::internal);
    }
}

int answer(const Row& row, const Context& context) {
    const auto result = row.run(context);
    if (!result)
        return command_line::report_failure(kName,
                                            {exit_code_of(result.error(), row.run == run_verify),
                                             std::string(to_string(result.error().code())), result.error().message(),
                                             ""},
                                            context.format);
    command_line::print(context.format == Format::json ? command_line::envelope("bundle", *result)
                                                       : command_line::render_fields(*result));
    return 0;
}

int run(const std::vector<std::string>& arguments) {
    const auto outcome = command_line::parse(program(), arguments);
    if (outcome.help) {
        command_line::print(*outcome.help);
        return 0;
    }
    if (outcome.error)
        return command_line::report_failure(
            kName, {static_cast<int>(InstallerExit::usage), "usage", outcome.error->message, outcome.error->fix},
            Format::text);
    const Context context{*outcome.invocation,
                          command_line::format_from(outcome.invocation->get("--output-format")).value_or(Format::text)};
    for (const Row& row : kRows)
        if (row.words == outcome.invocation->verb->words)
            return answer(row, context);
    return 1;
}

} // namespace
} // namespace picket::bundle

int main(int argc, char** argv) {
    using namespace picket;
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    try {
        const int code = bundle::run(arguments);
        if (command_line::flush_output())
            return code;
        return command_line::report_failure(bundle::kName, {1, "failed", "the output could not be written", ""},
                                            command_line::Format::text);
    } catch (const std::exception& error) {
        return command_line::report_failure(bundle::kName, {1, "internal", error.what(), "report it as a bug"},
                                            command_line::Format::text);
    }
}
