#pragma once
#include <picket/base/error.h>
#include <picket/command_line/output.h>
#include <picket/command_line/verb.h>
#include <picket/data/json.h>

namespace picket::onboarding {

/// One run of the program.
struct Context {
    const command_line::Invocation& invocation;
    command_line::Format format = command_line::Format::text;
};

/// Exit codes are the installer's (model/exit_code.h) where it has one for the case.
int fail(const Context& context, int exit_code, std::string_view name, const std::string& message,
         const std::string& fix = "");
/// For what is not about a package: 2 where the input is at fault, else 1.
int fail(const Context& context, const Error& error);
/// Fields on a terminal, an envelope in JSON. Returns 0.
int show(const Context& context, std::string_view kind, const data::Json& data,
         const std::vector<std::string_view>& order);

int run_init(const Context& context);
int run_create(const Context& context);
int run_inspect(const Context& context);
int run_publish(const Context& context);
int run_verify(const Context& context);

const command_line::Program& program();

} // namespace picket::onboarding
