#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/interrupt.h>

#include "context.h"
#include "session.h"

namespace picket::cli {
namespace {

constexpr Milliseconds kTurn{200};

/// Told already, or for programs: JSON has them.
constexpr std::array<std::string_view, 7> kNotInLine = {"time",    "type",         "sequence", "event_id",
                                                        "boot_id", "monotonic_ms", "digest"};

/// One line: time, type, then what the event has, named.
std::string line_of(const data::Json& event) {
    std::string line =
        fmt::format("{}  {}", command_line::value_text(event, "time"), command_line::value_text(event, "type"));
    for (const auto& [key, value] : event.items())
        if (std::find(kNotInLine.begin(), kNotInLine.end(), key) == kNotInLine.end() && !key.ends_with("_b64"))
            line += fmt::format("  {}={}", escape_for_display(key), command_line::value_text(event, key));
    return line + "\n";
}

} // namespace

int run_event_follow(const Context& context) {
    command_line::catch_interrupts();
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    data::Json parameters = data::Json::object();
    if (context.has("--after"))
        parameters["after"] = parse_unsigned(context.get("--after")).value_or(0);
    if (const auto started = session.value->call("event.follow", parameters); !started)
        return context.fail(started.failure);
    while (!command_line::interrupted()) {
        const auto notification = session.value->wait(kTurn);
        if (!notification)
            return context.fail(notification.failure);
        if (!notification.value->has_value() || (*notification.value)->method != "event")
            continue;
        const data::Json& event = (*notification.value)->parameters;
        command_line::print(context.json() ? command_line::envelope("event", event) : line_of(event));
        if (!command_line::flush_output())
            return static_cast<int>(CliExit::failed);
    }
    return static_cast<int>(CliExit::done);
}

int run_event_verify(const Context& context) {
    constexpr Milliseconds kPatience{120'000}; // a whole history is read
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    const auto result = session.value->call("event.verify", data::Json::object(), {}, kPatience);
    if (!result)
        return context.fail(result.failure);
    show(context, *result.value);
    return static_cast<int>(data::bool_or(*result.value, "whole", false) ? CliExit::done : CliExit::failed);
}

} // namespace picket::cli
