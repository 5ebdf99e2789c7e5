#include "text_output.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::installer {
namespace {

using command_line::Colour;
using command_line::Terminal;
using data::Json;

constexpr int kIdColumns = 26;
constexpr int kWidest = 80;

Colour colour_of(std::string_view status) {
    if (status == "pass" || status == "done")
        return Colour::green;
    if (status == "fail" || status == "failed")
        return Colour::red;
    if (status == "warn" || status == "undone")
        return Colour::yellow;
    return Colour::dim;
}

std::string padded(std::string_view text, int width) {
    const int missing = std::max(0, width - command_line::display_width(text));
    return std::string(text) + std::string(static_cast<std::size_t>(missing), ' ');
}

int width_of(const Terminal& terminal) {
    return std::min(terminal.width, kWidest);
}

/// Broken at spaces, each line behind `indent` blanks.
std::string wrapped(std::string_view label, std::string_view text, int indent, int width) {
    std::string lines;
    std::string line(label);
    const std::size_t room = static_cast<std::size_t>(std::max(20, width - indent));
    for (const std::string_view word : split(text, ' ')) {
        if (!line.empty() && line.size() + word.size() + 1 > room) {
            lines += std::string(static_cast<std::size_t>(indent), ' ') + line + "\n";
            line.assign(label.size(), ' ');
        }
        line += (line.empty() || line.back() == ' ' ? "" : " ") + std::string(word);
    }
    return lines + std::string(static_cast<std::size_t>(indent), ' ') + line + "\n";
}

std::string check_line(const Json& check, const Terminal& terminal) {
    const std::string status = data::string_or(check, "status", "");
    const int room = std::max(10, width_of(terminal) - kIdColumns - 8);
    std::string line =
        fmt::format("{}{}  {}  {}\n", command_line::paint(status, colour_of(status), terminal),
                    std::string(4 - std::min<std::size_t>(4, status.size()), ' '),
                    padded(data::string_or(check, "id", ""), kIdColumns),
                    command_line::shorten_end(escape_for_display(data::string_or(check, "observed", "")), room));
    if (status != "fail" && status != "warn")
        return line;
    if (const std::string required = data::string_or(check, "required", ""); status == "fail" && !required.empty())
        line += wrapped("needs: ", required, 6, width_of(terminal));
    if (const std::string fix = data::string_or(check, "fix", ""); !fix.empty())
        line += wrapped("fix:   ", fix, 6, width_of(terminal));
    return line;
}

/// All of them where they are what was asked for; else what a person has to know.
std::string checks_text(const install::Report& report, const Terminal& terminal) {
    std::string text;
    std::size_t passed = 0;
    std::size_t other = 0;
    for (const Json& check : report.checks) {
        const std::string status = data::string_or(check, "status", "");
        (status == "pass" ? passed : other) += 1;
        if (report.verb == "check" || status == "fail" || status == "warn")
            text += check_line(check, terminal);
    }
    if (report.verb == "check" && passed + other > 0)
        text += fmt::format("{} of {} checks passed\n", passed, passed + other);
    return text;
}

std::string plan_text(const install::Report& report) {
    std::string text;
    std::size_t number = 0;
    for (const install::StepReport& step : report.steps)
        text += fmt::format("{:>2}. {}  ({})\n", ++number, escape_for_display(step.title), step.id);
    return text.empty() ? text : "Plan:\n" + text + "Nothing was changed (--dry-run).\n";
}

std::string status_text(const install::Report& report) {
    Json shown = report.after;
    Json units = Json::object();
    for (const auto& [name, unit] : data::member(report.after, "units").items())
        units[name] = data::string_or(unit, "state", "");
    shown["units"] = units;
    return command_line::render_fields(shown, {"installed", "package_status", "version", "way_back", "onboarded",
                                               "org_name", "org_id", "definitions", "profiles", "tags", "units",
                                               "os_upgrade", "interrupted_run"});
}

std::string export_text(const install::Report& report) {
    std::string text =
        fmt::format("{}: {} files written.\n", escape_for_display(data::path_of(report.after, "directory")),
                    data::member(report.after, "written").size());
    static constexpr std::array<std::pair<const char*, const char*>, 3> kLeft{{
        {"kept", ""},
        {"outdated", " (there is a newer one: compare it with an export into an empty folder)"},
        {"unused", " (the project no longer has it: take what you need to another file, and delete it)"},
    }};
    for (const auto& [field, remark] : kLeft)
        for (const std::string& path : data::strings_of(data::member(report.after, field)))
            text += fmt::format("Kept as you changed it: {}{}\n", escape_for_display(path), remark);
    for (const std::string& line : data::strings_of(data::member(report.after, "next")))
        text += line + "\n";
    return text;
}

std::string success_text(const install::Report& report) {
    if (report.verb.starts_with("export"))
        return export_text(report);
    if (report.verb == "check" || report.verb == "status" || report.dry_run)
        return "";
    if (report.verb == "selftest")
        return "The host is protected: " + escape_for_display(report.steps.empty() ? "" : report.steps.front().detail) +
               "\n";
    if (report.verb == "os-upgrade prepare")
        return "This host is not protected until picket-installer os-upgrade finish.\n";
    return report.changed ? fmt::format("{}: done.\n", report.verb)
                          : fmt::format("{}: nothing had to change.\n", report.verb);
}

} // namespace

StepLines::StepLines(LogFile& log, bool silent)
    : log_(log), silent_(silent), terminal_(command_line::Terminal::of(stdout)) {}

void StepLines::began(const install::Step& step, std::size_t number, std::size_t total) {
    log_.write(fmt::format("step {}/{} {} began", number, total, step.id));
    if (silent_ || !terminal_.is_terminal)
        return;
    command_line::print(fmt::format("\r[{:>2}/{}] {} …", number, total, escape_for_display(step.title)));
    (void)command_line::flush_output();
}

void StepLines::ended(const install::JournalStep& step, std::size_t number, std::size_t total) {
    const std::string status(to_string(step.status));
    log_.write(
        fmt::format("step {}/{} {} {} ({} ms) {}", number, total, step.step.id, status, step.duration_ms, step.detail));
    if (silent_)
        return;
    const std::string head = fmt::format("[{:>2}/{}] {}", number, total, escape_for_display(step.step.title));
    const std::string time =
        step.duration_ms >= 100 ? fmt::format(" {:.1f} s", static_cast<double>(step.duration_ms) / 1000) : "";
    const int room =
        std::max(0, width_of(terminal_) - command_line::display_width(head) - 12 - static_cast<int>(time.size()));
    // A detail that does not fit is in the log and in the JSON; a self-test's or health's is worth a line of its own.
    const std::string shown = escape_for_display(step.detail);
    const bool fits =
        step.status == install::StepStatus::done && !shown.empty() && command_line::display_width(shown) <= room - 3;
    const std::string detail = fits ? " (" + shown + ")" : "";
    command_line::print(fmt::format("{}{}: {}{}{}\n", terminal_.is_terminal ? "\r\x1b[K" : "", head,
                                    command_line::paint(status, colour_of(status), terminal_), time, detail));
    (void)command_line::flush_output();
}

void StepLines::note(const std::string& text) {
    log_.write(text);
    if (!silent_)
        command_line::print(wrapped("", escape_for_display(text), 0, width_of(terminal_)));
}

std::string text_of(const install::Report& report, const Terminal& terminal) {
    std::string text = checks_text(report, terminal);
    if (report.verb == "status" && !report.failure)
        text += status_text(report);
    if (report.dry_run)
        text += plan_text(report);
    if (!report.failure)
        text += success_text(report);
    return text;
}

} // namespace picket::installer
