#include <fmt/format.h>
#include <picket/base/text.h>

#include "context.h"
#include "session.h"

namespace picket::cli {
namespace {

using command_line::Shrink;
using command_line::Terminal;
using data::Json;

const std::vector<command_line::Column> kProcesses = {
    {.field = "opens", .title = "OPENS", .right = true},
    {.field = "process", .title = "PROCESS", .shrink = Shrink::middle}};
const std::vector<command_line::Column> kFiles = {{.field = "opens", .title = "OPENS", .right = true},
                                                  {.field = "path", .title = "FILE", .shrink = Shrink::middle}};
const std::vector<command_line::Column> kSlowest = {
    {.field = "scan_ms", .title = "MS", .right = true},
    {.field = "size_bytes", .title = "BYTES", .right = true},
    {.field = "path", .title = "SLOWEST SCANS", .shrink = Shrink::middle}};

std::string table(const std::vector<command_line::Column>& columns, const Json& rows) {
    return rows.is_array() && !rows.empty() ? "\n" + command_line::render_table(columns, rows, Terminal::of(stdout))
                                            : "";
}

} // namespace

int run_statistics(const Context& context) {
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    Json parameters = Json::object();
    if (context.has("--top"))
        parameters["top"] = parse_unsigned(context.get("--top")).value_or(10);
    const auto answer = session.value->call("statistics", parameters);
    if (!answer)
        return context.fail(answer.failure);
    if (context.json())
        return show(context, *answer.value);
    command_line::print(command_line::render_fields(data::member(*answer.value, "counters")) +
                        table(kProcesses, data::member(*answer.value, "processes")) +
                        table(kFiles, data::member(*answer.value, "files")) +
                        table(kSlowest, data::member(*answer.value, "slowest")));
    return static_cast<int>(CliExit::done);
}

} // namespace picket::cli
