#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <map>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>

#include "context.h"
#include "session.h"

namespace picket::cli {
namespace {

using data::Json;

constexpr Milliseconds kPatience{120'000}; ///< a large file is copied and synced

/// What the options ask for contradicts itself; nothing where it does not.
std::optional<command_line::Failure> check_selection(const Context& context) {
    const auto wrong = [&](std::string message) {
        return make_failure(CliExit::usage, "usage", std::move(message),
                            fmt::format("see \"picket {} --help\"", context.row.verb.words));
    };
    const int ways = int{context.has("--id")} + int{context.has("--definitions")} + int{context.has("--all")};
    if (ways != 1)
        return wrong("exactly one of --id, --definitions, --all is needed");
    if (context.has("--destination") && !context.has("--id"))
        return wrong("--destination is for one file: name it with --id");
    if (context.has("--threat") && context.has("--id"))
        return wrong("--threat is for many files: leave out --id");
    return std::nullopt;
}

bool is_selected(const Context& context, const Json& item) {
    const auto fits = [&](const char* option, const char* field) {
        return !context.has(option) || data::string_or(item, field, "") == context.get(option);
    };
    return fits("--id", "quarantine_id") && fits("--definitions", "definitions") && fits("--threat", "threat_name");
}

/// The newest first: of several copies of one path the last state comes back, and the older ones are conflicts.
std::vector<Json> select(const Context& context, const Json& items) {
    std::vector<Json> selected;
    for (const Json& item : items)
        if (is_selected(context, item))
            selected.push_back(item);
    std::stable_sort(selected.begin(), selected.end(), [](const Json& left, const Json& right) {
        return data::string_or(left, "quarantined", "") > data::string_or(right, "quarantined", "");
    });
    return selected;
}

/// Restores one, where it is not only to be said, and gives its line of the report.
Json restore_item(const Context& context, Session& session, const Json& item) {
    Json report{{"quarantine_id", data::string_or(item, "quarantine_id", "")},
                {"threat_name", data::string_or(item, "threat_name", "")},
                {"status", "would_restore"}};
    data::set_path(report, "path", data::path_of(item, "path"));
    if (context.has("--dry-run"))
        return report;
    const auto restored = session.call(
        "quarantine.restore", {{"quarantine_id", report["quarantine_id"]}, {"overwrite", context.has("--overwrite")}},
        {}, kPatience);
    report["status"] = restored ? "restored" : "failed";
    if (!restored)
        report["error"] = {{"name", restored.failure.name}, {"message", restored.failure.message}};
    return report;
}

void print_report(const Json& report) {
    for (const Json& item : data::member(report, "items")) {
        const std::string why = data::string_or(data::member(item, "error"), "message", "");
        command_line::print(fmt::format("{:<13}  {}{}{}\n", data::string_or(item, "status", ""),
                                        escape_for_display(data::path_of(item, "path")), why.empty() ? "" : ": ",
                                        escape_for_display(why)));
    }
    command_line::print(fmt::format("restored {} of {}\n", data::integer_or(report, "restored", 0),
                                    data::member(report, "items").size()));
}

int restore_many(const Context& context) {
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    const auto listed = session.value->call("quarantine.list", Json::object(), {}, kPatience);
    if (!listed)
        return context.fail(listed.failure);
    Json items = Json::array();
    std::map<std::string, std::size_t> counts{{"restored", 0}, {"failed", 0}};
    for (const Json& item : select(context, data::member(*listed.value, "items"))) {
        items.push_back(restore_item(context, *session.value, item));
        ++counts[data::string_or(items.back(), "status", "")];
    }
    if (items.empty())
        return context.fail(make_failure(CliExit::failed, "not_found", "nothing in quarantine fits",
                                         "\"picket threat quarantine list\" shows what is there"));
    const Json report{{"dry_run", context.has("--dry-run")},
                      {"restored", counts["restored"]},
                      {"failed", counts["failed"]},
                      {"items", std::move(items)}};
    if (context.json())
        command_line::print(command_line::envelope(context.row.kind, report));
    else
        print_report(report);
    return static_cast<int>(counts["failed"] == 0 ? CliExit::done : CliExit::failed);
}

} // namespace

int run_quarantine_restore(const Context& context) {
    if (const auto problem = check_selection(context))
        return context.fail(*problem);
    return context.has("--id") && !context.has("--dry-run") ? run_method(context) : restore_many(context);
}

int run_quarantine_add(const Context& context) {
    const std::string path = command_line::absolute_path(context.get("--path"));
    // O_PATH: nothing is opened that the daemon would deny; a link is no file to move.
    const UniqueFd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!file)
        return context.fail(failure_of(Error::from_errno(errno, path)));
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    const auto added = session.value->call("quarantine.add", Json::object(), {file.get()}, kPatience);
    return added ? show(context, *added.value) : context.fail(added.failure);
}

} // namespace picket::cli
