#include <atomic>
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/command_line/output.h>
#include <picket/install/real_ports.h>
#include <picket/install/session.h>
#include <picket/sys/start.h>

#include "arguments.h"
#include "export_table.h"
#include "log_file.h"
#include "text_output.h"
#include "verb_table.h"

namespace {

using namespace picket;
using namespace picket::installer;
using install::Failure;
using install::Report;
using picket::InstallerExit;

std::atomic<bool> g_stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

/// The running step ends, then everything is undone; asking twice does not make that shorter.
void catch_stop_requests() {
    struct sigaction action {};
    action.sa_handler = [](int) { g_stop_requested.store(true); };
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        sigaction(number, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN); // who reads our output may leave in the middle of an installation
}

int tell(const Report& report, bool json) {
    if (json) {
        command_line::print(data::to_text(to_json(report)) + "\n");
        return static_cast<int>(report.exit());
    }
    command_line::print(text_of(report, command_line::Terminal::of(stdout)));
    (void)command_line::flush_output();
    if (!report.failure)
        return 0;
    const data::Json error = install::to_json(*report.failure);
    return command_line::report_failure("picket-installer",
                                        {.exit_code = static_cast<int>(report.exit()),
                                         .name = data::string_or(error, "name", ""),
                                         .message = report.failure->message,
                                         .fix = data::string_or(error, "fix", "")},
                                        command_line::Format::text);
}

Report failed(std::string verb, InstallerExit exit, std::string message, std::string fix = {}) {
    Report report;
    report.verb = std::move(verb);
    report.failure = Failure{exit, std::move(message), std::move(fix)};
    return report;
}

struct Parsed {
    command_line::ParseOutcome outcome;
    std::optional<Report> failure;
};

/// The command line, and behind it what --config adds.
Parsed parse_all(std::vector<std::string> arguments) {
    Parsed parsed{command_line::parse(program(), arguments), std::nullopt};
    if (parsed.outcome.invocation && parsed.outcome.invocation->has("--config")) {
        const std::string path = parsed.outcome.invocation->get("--config");
        const auto more = arguments_of_config(path, *parsed.outcome.invocation);
        if (!more) {
            parsed.failure = failed(std::string(parsed.outcome.invocation->verb->words), InstallerExit::usage,
                                    more.error().with_context(escape_for_display(path)).message());
            return parsed;
        }
        arguments.insert(arguments.end(), more->begin(), more->end());
        parsed.outcome = command_line::parse(program(), arguments);
    }
    if (parsed.outcome.error)
        parsed.failure = failed("", InstallerExit::usage, parsed.outcome.error->message, parsed.outcome.error->fix);
    return parsed;
}

Report run_session(const command_line::Invocation& invocation, LogFile& log) {
    auto parsed = request_of(invocation);
    if (!parsed)
        return failed(std::string(invocation.verb->words), InstallerExit::usage, parsed.error().message());
    install::Request& request = *parsed;
    const std::string root_directory =
        invocation.has("--root") ? command_line::absolute_path(invocation.get("--root")) : "/";
    const std::string verb(to_string(request.verb));
    const auto root = sys::Root::open(root_directory);
    if (!root)
        return failed(verb, InstallerExit::usage, root.error().with_context("--root").message());
    const bool takes_bundle = request.verb == install::VerbKind::install ||
                              request.verb == install::VerbKind::upgrade ||
                              request.verb == install::VerbKind::os_upgrade_finish;
    if (request.bundle.empty() && request.from_repo.empty() && takes_bundle)
        request.bundle = bundle_of(invocation);
    const SystemClock clock;
    const install::RealPorts ports(*root, clock, g_stop_requested, real_options());
    install::JournalFile journal(*root);
    StepLines lines(log, invocation.get("--output") == "json");
    install::Session session(ports.get(), journal, lines, g_stop_requested);
    return session.run(request);
}

int run(const std::vector<std::string>& arguments) {
    const Parsed parsed = parse_all(arguments);
    if (parsed.outcome.help) {
        command_line::print(*parsed.outcome.help);
        return 0;
    }
    if (parsed.failure)
        return tell(*parsed.failure, command_line::peek_option(arguments, "--output") == "json");
    const command_line::Invocation& invocation = *parsed.outcome.invocation;
    const bool json = invocation.get("--output") == "json";
    const std::string verb(invocation.verb->words);
    LogFile log;
    if (invocation.has("--log-file")) {
        auto opened = LogFile::open(invocation.get("--log-file"));
        if (!opened)
            return tell(failed(verb, InstallerExit::usage, opened.error().message()), json);
        log = std::move(*opened);
    }
    log.write(fmt::format("picket-installer {} {}", build::version(), verb));
    const ExportKind* const kind = find_export(verb);
    const Report report = kind != nullptr ? kind->run(invocation, g_stop_requested) : run_session(invocation, log);
    log.write(report.failure ? fmt::format("{} ended: {}", verb, report.failure->message) : verb + " ended: success");
    return tell(report, json);
}

} // namespace

int main(int argc, char** argv) {
    // Named where a server is not reached, and used by nothing.
    sys::start_clean({"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", "auto_proxy"});
    catch_stop_requests();
    umask(022);
    const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    if (arguments == std::vector<std::string>{"--version"}) {
        command_line::print(fmt::format("picket-installer {}\n", build::version()));
        return 0;
    }
    try {
        const int code = run(arguments);
        if (command_line::flush_output() || code != 0)
            return code;
        return static_cast<int>(InstallerExit::internal); // the report did not arrive
    } catch (const std::exception& error) {
        return tell(failed("", InstallerExit::internal, error.what()), false);
    }
}
