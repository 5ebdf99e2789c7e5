#include <fmt/format.h>
#include <picket/base/text.h>

#include "context.h"
#include "session.h"

namespace picket::cli {
namespace {

using command_line::Colour;
using command_line::Column;
using command_line::Shrink;
using command_line::Terminal;
using data::Json;

/// Each server may take 20 s; a download that is under way comes first.
constexpr Milliseconds kPatience{15 * 60'000};

/// One row a hop, without those that a way does not have.
Json rows_of(const Json& report) {
    Json rows = Json::array();
    for (const Json& endpoint : data::member(report, "endpoints"))
        for (const Json& hop : data::member(endpoint, "hops")) {
            const bool skipped = data::string_or(hop, "status", "") == "skipped";
            if (skipped && data::string_or(hop, "target", "").empty())
                continue;
            Json row = hop;
            row["endpoint"] = data::member(endpoint, "endpoint");
            row["took_ms"] = skipped ? Json("") : data::member(hop, "took_ms");
            rows.push_back(std::move(row));
        }
    return rows;
}

std::string told(const Json& item, std::string_view name, const std::string& before, const Terminal& terminal) {
    std::string text = fmt::format("\n{}{}: {}\n", before,
                                   command_line::paint(command_line::value_text(item, name), Colour::yellow, terminal),
                                   command_line::value_text(item, "message"));
    if (!data::string_or(item, "fix", "").empty())
        text += fmt::format("  fix: {}\n", command_line::value_text(item, "fix"));
    return text;
}

std::string text_of(const Json& report, const Terminal& terminal) {
    const Json rows = rows_of(report);
    if (rows.empty())
        return "the organisation names no server: nothing on this host needs a network\n";
    std::string text = command_line::render_table({{.field = "endpoint", .title = "ENDPOINT"},
                                                   {.field = "hop", .title = "HOP"},
                                                   {.field = "status", .title = "RESULT"},
                                                   {.field = "took_ms", .title = "MS", .right = true},
                                                   {.field = "target", .title = "WITH", .shrink = Shrink::middle},
                                                   {.field = "detail", .title = "FOUND", .shrink = Shrink::end}},
                                                  rows, terminal);
    for (const Json& endpoint : data::member(report, "endpoints"))
        if (data::string_or(endpoint, "status", "") != "passed")
            text += told(endpoint, "reason", command_line::value_text(endpoint, "endpoint") + ": ", terminal);
    for (const Json& notice : data::member(report, "notices"))
        text += told(notice, "name", "", terminal);
    return text;
}

} // namespace

int run_connectivity(const Context& context) {
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    const auto report = session.value->call(std::string(context.row.method), Json::object(), {}, kPatience);
    if (!report)
        return context.fail(report.failure);
    command_line::print(context.json() ? command_line::envelope(context.row.kind, *report.value)
                                       : text_of(*report.value, Terminal::of(stdout)));
    const bool good = data::bool_or(*report.value, "all_reachable", false);
    return static_cast<int>(good ? CliExit::done : CliExit::failed);
}

} // namespace picket::cli
