#include <cerrno>
#include <cstdio>
#include <fcntl.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/profile/import_mde.h>
#include <picket/sys/file.h>

#include "context.h"
#include "profile_file.h"
#include "session.h"

/// A profile of Defender for Endpoint made into one of ours.
namespace picket::cli {
namespace {

using data::Json;
using profile::ImportAction;
using profile::ImportEntry;

struct Counts {
    std::size_t taken = 0;
    std::size_t converted = 0;
    std::size_t dropped = 0;
    std::size_t weakening = 0;
};

Counts counts_of(const std::vector<ImportEntry>& entries) {
    Counts counts;
    for (const ImportEntry& entry : entries) {
        counts.taken += entry.action == ImportAction::taken ? 1U : 0U;
        counts.converted += entry.action == ImportAction::converted ? 1U : 0U;
        counts.dropped += entry.action == ImportAction::dropped ? 1U : 0U;
        counts.weakening += entry.weakens.empty() ? 0U : 1U;
    }
    return counts;
}

std::string report_text(const std::vector<ImportEntry>& entries, const std::string& file) {
    std::string text;
    for (const ImportEntry& entry : entries)
        text += profile::to_text(entry, file) + "\n";
    const Counts counts = counts_of(entries);
    return text + fmt::format("{} taken, {} converted, {} dropped; {} protect less than Picket's defaults\n",
                              counts.taken, counts.converted, counts.dropped, counts.weakening);
}

Json report_json(const profile::MdeImport& imported, const std::string& file) {
    Json entries = Json::array();
    for (const ImportEntry& entry : imported.entries)
        entries.push_back(profile::to_json(entry));
    const Counts counts = counts_of(imported.entries);
    Json report = {{"document", imported.document}, {"entries", std::move(entries)}, {"taken", counts.taken},
                   {"converted", counts.converted}, {"dropped", counts.dropped},     {"weakening", counts.weakening}};
    data::set_path(report, "file", file);
    return report;
}

/// Replaces the caller's file as a whole; a link is replaced, not followed.
Result<void> write_file(const std::string& path, const std::string& content) {
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        return Error::from_errno(errno, folder);
    return sys::write_atomically_at(directory.get(), path.substr(slash == std::string::npos ? 0 : slash + 1), content,
                                    0644);
}

} // namespace

int run_profile_import_mde(const Context& context) {
    const std::string path = context.get("FILE");
    const auto text = read_profile(path);
    if (!text)
        return context.fail(failure_of(text.error()));
    const profile::MdeImport imported = profile::import_mde(*text, path);
    if (imported.problem)
        return context.fail(make_failure(CliExit::profile_refused, "profile_refused",
                                         profile::to_text(*imported.problem), "give an mdatp_managed.json"));
    const std::string content = data::to_pretty_text(imported.document) + "\n";
    if (context.has("--write"))
        if (const auto written = write_file(context.get("--write"), content); !written)
            return context.fail(failure_of(written.error()));
    if (context.json())
        return show(context, report_json(imported, path));
    const std::string report = report_text(imported.entries, path);
    if (context.has("--write")) {
        command_line::print(report);
    } else { // the profile can go into a pipe, the report is still seen
        command_line::print(content);
        std::fputs(report.c_str(), stderr);
    }
    return static_cast<int>(CliExit::done);
}

} // namespace picket::cli
