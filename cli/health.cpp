#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "context.h"
#include "session.h"

namespace picket::cli {
namespace {

using command_line::Colour;
using command_line::Format;
using command_line::Terminal;

struct Details {
    std::string_view name;
    std::vector<std::string_view> fields;
};

const std::vector<Details>& details() {
    static const std::vector<Details> kDetails = {
        {"definitions",
         {"definitions_status", "definitions_version", "definitions_updated", "definitions_updated_minutes_ago",
          "definitions_signatures", "definitions_expires", "definitions_checked", "engine_status", "engine_version",
          "engine_workers"}},
        {"filesystems", {"filesystems"}},
        {"profile",
         {"profile_status", "profile_generation", "profile_sources", "onboarded", "org_id", "org_name", "region",
          "machine_id", "tags"}},
        {"real_time_protection",
         {"enforcement_level", "real_time_protection_enabled", "real_time_protection_available",
          "real_time_protection_active", "real_time_protection_subsystem", "fanotify_tier", "passive_mode_enabled",
          "conflicting_applications", "filesystems"}},
        {"statistics", {"statistics"}},
    };
    return kDetails;
}

std::string filesystems_summary(const data::Json& filesystems) {
    std::map<std::string, int> count;
    for (const data::Json& entry : filesystems)
        ++count[data::string_or(entry, "status", "unknown")];
    std::vector<std::string> parts;
    for (const auto& [status, number] : count)
        parts.push_back(fmt::format("{} {}", number, escape_for_display(status)));
    return parts.empty() ? "none" : join(parts, ", ");
}

std::string filesystems_table(const data::Json& filesystems, const Terminal& terminal) {
    return command_line::render_table(
        {{.field = "mount_point", .title = "MOUNT POINT", .shrink = command_line::Shrink::middle},
         {.field = "type", .title = "TYPE"},
         {.field = "status", .title = "STATUS"},
         {.field = "reason", .title = "REASON", .shrink = command_line::Shrink::end}},
        filesystems, terminal);
}

std::string issues_text(const data::Json& issues, const Terminal& terminal) {
    std::string text;
    for (const data::Json& issue : issues) {
        text += fmt::format("\n{}: {}\n",
                            command_line::paint(command_line::value_text(issue, "name"), Colour::yellow, terminal),
                            command_line::value_text(issue, "message"));
        if (!data::string_or(issue, "fix", "").empty())
            text += fmt::format("  fix: {}\n", command_line::value_text(issue, "fix"));
    }
    return text;
}

/// The object as the text shows it: lists of objects stand for themselves in one word.
data::Json summarised(data::Json health) {
    if (const data::Json& issues = data::member(health, "health_issues"); issues.is_array()) {
        data::Json names = data::Json::array();
        for (const data::Json& issue : issues)
            names.push_back(data::string_or(issue, "name", "?"));
        health["health_issues"] = names;
    }
    health.erase("health_warnings"); // shown below
    if (const data::Json& filesystems = data::member(health, "filesystems"); filesystems.is_array())
        health["filesystems"] = filesystems_summary(filesystems);
    return health;
}

void show_text(const Context& context, const data::Json& health, bool detailed) {
    const Terminal terminal = Terminal::of(stdout);
    data::Json summary = summarised(health);
    if (!detailed)
        summary.erase("statistics");
    const auto order = order_of(context.row);
    std::string text = command_line::render_fields(summary, order);
    if (const data::Json& filesystems = data::member(health, "filesystems"); detailed && filesystems.is_array())
        text += "\n" + filesystems_table(filesystems, terminal);
    if (const data::Json& issues = data::member(health, "health_issues"); issues.is_array())
        text += issues_text(issues, terminal);
    if (const data::Json& warnings = data::member(health, "health_warnings"); warnings.is_array())
        text += issues_text(warnings, terminal);
    command_line::print(text);
}

int show_field(const Context& context, const data::Json& health) {
    const std::string field = context.get("--field");
    const data::Json* holder = &health;
    std::string_view last = field;
    for (auto dot = last.find('.'); dot != std::string_view::npos; dot = last.find('.')) {
        holder = &data::member(*holder, last.substr(0, dot));
        last.remove_prefix(dot + 1);
    }
    if (!holder->is_object() || !holder->contains(std::string(last))) {
        std::vector<std::string> known;
        for (const auto& [key, value] : health.items())
            known.push_back(key);
        const auto meant = closest_match(field, known);
        return context.fail(make_failure(CliExit::usage, "usage", fmt::format("health has no field {}", field),
                                         meant ? fmt::format("did you mean {}?", *meant)
                                               : "\"picket health --output json\" has them all"));
    }
    if (context.json())
        command_line::print(command_line::envelope(context.row.kind, {{field, data::member(*holder, last)}}));
    else
        command_line::print(command_line::value_text(*holder, last) + "\n");
    return static_cast<int>(CliExit::done);
}

data::Json selected(const data::Json& health, const std::string& section) {
    if (section == "all")
        return health;
    data::Json chosen = data::Json::object();
    for (const Details& row : details())
        if (row.name == section)
            for (const std::string_view field : row.fields)
                if (health.contains(std::string(field)))
                    chosen[std::string(field)] = data::member(health, field);
    return chosen;
}

} // namespace

int run_health(const Context& context) {
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    const auto answer = session.value->call("health");
    if (!answer)
        return context.fail(answer.failure);
    if (context.has("--field"))
        return show_field(context, *answer.value);
    const bool detailed = context.has("--details");
    const data::Json shown = detailed ? selected(*answer.value, context.get("--details")) : *answer.value;
    if (context.json())
        command_line::print(command_line::envelope(context.row.kind, shown));
    else
        show_text(context, shown, detailed);
    return static_cast<int>(data::bool_or(*answer.value, "healthy", false) ? CliExit::done : CliExit::failed);
}

} // namespace picket::cli
