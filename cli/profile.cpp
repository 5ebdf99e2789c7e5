#include <fmt/format.h>
#include <picket/base/text.h>

#include "context.h"
#include "profile_file.h"
#include "session.h"

namespace picket::cli {
namespace {

/// One row a value: pointer, value, and where it comes from.
data::Json table_of(const data::Json& profile) {
    data::Json rows = data::Json::array();
    const data::Json& document = data::member(profile, "document");
    const data::Json& sources = data::member(profile, "sources");
    if (!sources.is_object())
        return rows;
    for (const auto& [pointer, source] : sources.items()) {
        data::Json row = {{"pointer", pointer}};
        try { // a pointer of a daemon that is not ours may be no pointer
            row["value"] = document.at(data::Json::json_pointer(pointer));
        } catch (const std::exception&) {
            row["value"] = nullptr;
        }
        row["layer"] = data::member(source, "layer");
        data::set_path(row, "file", data::path_of(source, "file"));
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string problems_text(const data::Json& problems) {
    std::string text;
    if (problems.is_array())
        for (const data::Json& problem : problems)
            text += fmt::format("{}:{}:{}: {}\n", command_line::value_text(problem, "file"),
                                command_line::value_text(problem, "line"), command_line::value_text(problem, "column"),
                                command_line::value_text(problem, "message"));
    return text;
}

/// Indented JSON, each line safe to show.
std::string document_text(const data::Json& document) {
    const std::string pretty = data::to_pretty_text(document);
    std::string text;
    for (const std::string_view line : split(pretty, '\n'))
        text += escape_for_display(line) + "\n";
    return text;
}

} // namespace

int run_profile_show(const Context& context) {
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    const auto answer = session.value->call("profile.show");
    if (!answer)
        return context.fail(answer.failure);
    if (context.json())
        return show(context, *answer.value);
    if (context.format == command_line::Format::table)
        command_line::print(command_line::render_table(context.row.columns, table_of(*answer.value),
                                                       command_line::Terminal::of(stdout)));
    else
        command_line::print(document_text(data::member(*answer.value, "document")));
    if (const std::string problems = problems_text(data::member(*answer.value, "problems")); !problems.empty())
        command_line::print(fmt::format("\nProblems in files that are not in force:\n{}", problems));
    return static_cast<int>(CliExit::done);
}

int run_profile_validate(const Context& context) {
    data::Json files = data::Json::array();
    std::string text;
    bool valid = true;
    for (const std::string& path : context.invocation.all("FILE")) {
        const auto checked = render_file(path);
        if (!checked)
            return context.fail(failure_of(checked.error()));
        valid = valid && checked->ok();
        data::Json problems = data::Json::array();
        for (const profile::Problem& problem : checked->problems) {
            problems.push_back(profile::to_json(problem));
            text += profile::to_text(problem) + "\n";
        }
        if (checked->ok())
            text += fmt::format("{}: valid\n", escape_for_display(path));
        data::Json file = {{"valid", checked->ok()}, {"problems", problems}};
        data::set_path(file, "file", path);
        files.push_back(std::move(file));
    }
    command_line::print(context.json() ? command_line::envelope(context.row.kind, {{"valid", valid}, {"files", files}})
                                       : text);
    return static_cast<int>(valid ? CliExit::done : CliExit::profile_refused);
}

} // namespace picket::cli
