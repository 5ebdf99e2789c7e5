#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/profile/schema.h>

#include "context.h"
#include "profile_file.h"
#include "session.h"

/// For those who write profiles: what a file becomes, how two differ, where a value comes from.
namespace picket::cli {
namespace {

using data::Json;
using profile::KeyInfo;

/// The document of a file without faults; otherwise everything that is wrong with it is the failure.
Tried<profile::Rendering> good_file(const std::string& path) {
    auto checked = render_file(path);
    if (!checked)
        return {std::nullopt, failure_of(checked.error())};
    if (checked->ok())
        return {std::move(*checked)};
    std::vector<std::string> lines;
    for (const profile::Problem& problem : checked->problems)
        lines.push_back(profile::to_text(problem));
    return {std::nullopt,
            make_failure(CliExit::profile_refused, "profile_refused", join(lines, "\n"), "mend the file")};
}

Tried<Json> running_profile(const Context& context) {
    auto session = Session::open(context.socket);
    if (!session)
        return {std::nullopt, session.failure};
    return session.value->call("profile.show");
}

std::string shown(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : data::to_text(value);
}

/// What one file says of a key, and where.
struct Statement {
    std::string layer;
    std::string file;
    int line = 0; ///< 0 = unknown
    Json value;
};

/// The files that count, lowest first, as the daemon names them.
std::vector<std::pair<std::string, profile::Layer>> files_of(const Json& running) {
    std::vector<std::pair<std::string, profile::Layer>> files;
    for (const auto& [pointer, source] : data::member(running, "sources").items()) {
        const std::string file = data::path_of(source, "file");
        const std::string layer = data::string_or(source, "layer", "");
        if (!file.empty())
            files.emplace_back(file, layer == "local" ? profile::Layer::local : profile::Layer::managed);
    }
    std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
        return a.second != b.second ? a.second == profile::Layer::local : a.first < b.first;
    });
    files.erase(std::unique(files.begin(), files.end()), files.end());
    return files;
}

std::map<std::string, std::vector<Statement>> statements_of(const Json& running) {
    std::map<std::string, std::vector<Statement>> statements;
    for (const KeyInfo& key : profile::keys())
        statements[key.pointer].push_back({"default", "", 0, key.default_value()});
    for (const auto& [file, layer] : files_of(running)) {
        const auto checked = validate_file(file, layer);
        if (!checked || !checked->ok())
            continue; // it changed since; the daemon's own view is shown
        for (const KeyInfo& key : profile::keys()) {
            const Json& value = profile::value_at(checked->document, key.pointer);
            if (value.is_null())
                continue;
            const auto position = checked->positions.find(key.pointer);
            const int line = position == checked->positions.end() ? 0 : position->second.line;
            statements[key.pointer].push_back(
                {layer == profile::Layer::local ? "local" : "managed", file, line, value});
        }
    }
    return statements;
}

std::string why(const KeyInfo& key, const std::vector<Statement>& said) {
    if (said.size() == 1)
        return "nobody sets it: the built-in default";
    if (key.merges_elements)
        return "the elements of all layers count";
    return said.back().layer == "managed" ? "the last managed file that has it wins" : "set on this host";
}

Json explanation_of(const KeyInfo& key, const Json& running, const std::vector<Statement>& said) {
    const Json& source = data::member(data::member(running, "sources"), key.pointer);
    Json entry{{"key", key.dotted},
               {"value", profile::value_at(data::member(running, "document"), key.pointer)},
               {"layer", data::string_or(source, "layer", "default")},
               {"why", why(key, said)},
               {"help", data::string_or(*key.node, "description", "")}};
    if (!key.setting.empty())
        entry["setting"] = key.setting;
    const std::string file = data::path_of(source, "file");
    data::set_path(entry, "file", file);
    Json others = Json::array();
    for (const Statement& statement : said) {
        if (statement.file == file) {
            entry["line"] = statement.line;
            continue;
        }
        Json other{{"layer", statement.layer}, {"value", statement.value}, {"line", statement.line}};
        data::set_path(other, "file", statement.file);
        others.push_back(std::move(other));
    }
    entry["overrides"] = std::move(others);
    return entry;
}

std::string place_text(const Json& entry) {
    const std::string file = data::path_of(entry, "file");
    const std::int64_t line = data::integer_or(entry, "line", 0);
    if (file.empty())
        return data::string_or(entry, "layer", "");
    return line > 0 ? fmt::format("{}:{}", escape_for_display(file), line) : escape_for_display(file);
}

std::string explanation_text(const Json& entry) {
    std::string text =
        fmt::format("{} = {}\n  {}\n  from {}: {}\n", command_line::value_text(entry, "key"),
                    escape_for_display(shown(data::member(entry, "value"))), command_line::value_text(entry, "help"),
                    place_text(entry), command_line::value_text(entry, "why"));
    for (const Json& other : data::member(entry, "overrides"))
        text += fmt::format("  over {} from {}\n", escape_for_display(shown(data::member(other, "value"))),
                            place_text(other));
    return text;
}

/// A key by its dotted name, its pointer, or the name of its setting.
std::optional<std::string> pointer_of(const std::string& name) {
    for (const KeyInfo& key : profile::keys())
        if (key.dotted == name || key.pointer == name || (!key.setting.empty() && key.setting == name))
            return key.pointer;
    return std::nullopt;
}

command_line::Failure no_such_key(const std::string& name) {
    std::vector<std::string> known;
    for (const KeyInfo& key : profile::keys()) {
        known.push_back(key.dotted);
        if (!key.setting.empty())
            known.push_back(key.setting);
    }
    const auto meant = closest_match(name, known);
    return make_failure(CliExit::usage, "usage", fmt::format("no profile has a key {}", escape_for_display(name)),
                        meant ? fmt::format("did you mean {}?", *meant) : "\"picket profile explain\" lists them");
}

Json explain_table(const Json& entries) {
    Json rows = Json::array();
    for (const Json& entry : entries)
        rows.push_back({{"key", data::member(entry, "key")},
                        {"value", shown(data::member(entry, "value"))},
                        {"place", place_text(entry)}});
    return rows;
}

/// Keys of the one that the other has not, or has otherwise.
Json differences(const Json& left, const Json& right) {
    Json found = Json::array();
    for (const KeyInfo& key : profile::keys()) {
        const Json& before = profile::value_at(left, key.pointer);
        const Json& after = profile::value_at(right, key.pointer);
        if (before != after)
            found.push_back({{"key", key.dotted}, {"left", before}, {"right", after}});
    }
    return found;
}

} // namespace

int run_profile_explain(const Context& context) {
    const auto running = running_profile(context);
    if (!running)
        return context.fail(running.failure);
    std::optional<std::string> wanted;
    if (context.has("KEY")) {
        wanted = pointer_of(context.get("KEY"));
        if (!wanted)
            return context.fail(no_such_key(context.get("KEY")));
    }
    const auto statements = statements_of(*running.value);
    Json entries = Json::array();
    std::string text;
    for (const KeyInfo& key : profile::keys()) {
        if (wanted && *wanted != key.pointer)
            continue;
        entries.push_back(explanation_of(key, *running.value, statements.at(key.pointer)));
        text += explanation_text(entries.back());
    }
    if (context.json())
        command_line::print(command_line::envelope(context.row.kind, {{"keys", entries}}));
    else if (wanted && context.format != command_line::Format::table)
        command_line::print(text);
    else
        command_line::print(command_line::render_table(context.row.columns, explain_table(entries),
                                                       command_line::Terminal::of(stdout)));
    return static_cast<int>(CliExit::done);
}

int run_profile_render(const Context& context) {
    const auto file = good_file(context.get("FILE"));
    if (!file)
        return context.fail(file.failure);
    command_line::print(context.json() ? command_line::envelope(context.row.kind, {{"document", file.value->document},
                                                                                   {"files", file.value->files}})
                                       : data::to_pretty_text(file.value->document) + "\n");
    return static_cast<int>(CliExit::done);
}

int run_profile_diff(const Context& context) {
    const std::vector<std::string> files = context.invocation.all("FILE");
    if (files.size() != (context.has("--running") ? 1U : 2U))
        return context.fail(make_failure(CliExit::usage, "usage", "two files are needed, or one and --running",
                                         "picket profile diff OLD NEW"));
    const auto left = good_file(files[0]);
    if (!left)
        return context.fail(left.failure);
    Json right;
    if (context.has("--running")) {
        const auto running = running_profile(context);
        if (!running)
            return context.fail(running.failure);
        right = data::member(*running.value, "document");
    } else {
        const auto other = good_file(files[1]);
        if (!other)
            return context.fail(other.failure);
        right = other.value->document;
    }
    Json found = differences(left.value->document, right);
    if (context.has("--running")) // what the file does not say is no difference
        found.erase(std::remove_if(found.begin(), found.end(),
                                   [](const Json& entry) { return data::member(entry, "left").is_null(); }),
                    found.end());
    const bool same = found.empty();
    if (!context.json())
        for (Json& entry : found)
            for (const char* side : {"left", "right"})
                entry[side] = shown(data::member(entry, side));
    const int shown_as = show(context, {{"differences", std::move(found)}});
    return same ? shown_as : static_cast<int>(CliExit::failed);
}

} // namespace picket::cli
