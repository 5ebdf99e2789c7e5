#include "scan_report.h"

#include <fmt/format.h>
#include <picket/base/bytes.h>

#include "session.h"

namespace picket::cli {

using command_line::value_text;

namespace {

std::string remaining_text(double seconds) {
    const auto whole = static_cast<std::int64_t>(seconds);
    if (whole < 60)
        return fmt::format("{} s left", whole);
    if (whole < 3'600)
        return fmt::format("{} min left", whole / 60);
    return fmt::format("{} h {:02} min left", whole / 3'600, whole / 60 % 60);
}

} // namespace

void ScanReport::progress(const data::Json& counts) {
    const auto count = [&](std::string_view key) {
        return std::max<std::int64_t>(0, data::integer_or(counts, key, 0));
    };
    const std::int64_t visited = count("files_visited");
    const std::int64_t total = count("files_total");
    const MonotonicTime now = SystemClock().monotonic();
    if (!first_visited_) {
        first_visited_ = visited;
        began_ = now;
    }
    // Of this look only: what was done before an interruption took no time now.
    const double seconds = std::chrono::duration<double>(now - began_).count();
    const double rate = seconds > 1 ? static_cast<double>(visited - *first_visited_) / seconds : 0;
    std::string text =
        fmt::format("{} files, {}, {} threats", count("files_scanned"),
                    to_human(Bytes{static_cast<std::uint64_t>(count("bytes_scanned"))}), count("threats_found"));
    if (rate > 0)
        text += fmt::format(", {:.0f} files/s", rate);
    const bool knows_end = total > 0 && visited <= total;
    if (rate > 0 && knows_end)
        text += ", " + remaining_text(static_cast<double>(total - visited) / rate);
    bar_.update(knows_end ? static_cast<double>(visited) / static_cast<double>(total) : -1, text,
                data::path_of(counts, "current"));
}

void ScanReport::threat(const data::Json& threat) {
    if (threats_.size() < kMaximumNotes)
        threats_.push_back(threat);
    if (context_.json())
        return;
    bar_.clear();
    command_line::print(fmt::format("{}  {}  ({})\n", value_text(threat, "threat_name"), value_text(threat, "path"),
                                    value_text(threat, "action")));
    command_line::flush_output();
}

void ScanReport::failure(const data::Json& failure) {
    if (failures_.size() >= kMaximumNotes)
        return;
    failures_.push_back(failure);
    if (context_.json())
        return;
    bar_.clear();
    command_line::print(
        fmt::format("not scanned: {} ({})\n", value_text(failure, "path"), value_text(failure, "reason")));
}

int ScanReport::finish(data::Json record) {
    bar_.clear();
    const std::string status = data::string_or(record, "status", "failed");
    const bool found = data::integer_or(record, "threats_found", 0) > 0;
    if (context_.json()) {
        record["threats"] = threats_;
        if (!failures_.empty())
            record["not_scanned"] = failures_;
        command_line::print(command_line::envelope(context_.row.kind, record));
    } else {
        const auto order = order_of(context_.row);
        command_line::print(command_line::render_fields(record, order));
    }
    // A scan that was cut short has not shown that there is nothing, but what it found stays found.
    if (found)
        return static_cast<int>(CliExit::threats_found);
    return static_cast<int>(status == "finished" ? CliExit::done : CliExit::failed);
}

} // namespace picket::cli
