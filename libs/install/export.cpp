#include <picket/install/export.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "exporters.h"

namespace picket::install {
namespace {

constexpr std::array kExporters{
    Exporter{"repo", make_repository_export, repository_export_failure},
};
constexpr Bytes kFileLimit = mebibytes(16);

Result<bool> put(const sys::Root& folder, const ExportedFile& file) {
    const std::string path = "/" + file.name;
    if (const auto now = folder.read(path, kFileLimit); now && *now == file.content)
        return false;
    if (const auto slash = path.rfind('/'); slash != 0)
        PICKET_TRY(folder.make_directories(path.substr(0, slash), 0755));
    PICKET_TRY(folder.write_atomically(path, file.content, file.mode));
    return true;
}

Result<void> write_all_of(const std::string& directory, const std::vector<ExportedFile>& files,
                          ExportOutcome& outcome) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error)
        return Error::from_errno(error.value(), fmt::format("create {}", escape_for_display(directory)));
    const sys::Root folder = PICKET_TRY(sys::Root::open(directory));
    for (const ExportedFile& file : files) {
        outcome.changed = PICKET_TRY(put(folder, file)) || outcome.changed;
        outcome.written.push_back(file.name);
    }
    return {};
}

} // namespace

std::span<const Exporter> exporters() {
    return kExporters;
}

ExportOutcome run_export(const ExportContext& context) {
    ExportOutcome outcome;
    const auto row = std::find_if(kExporters.begin(), kExporters.end(),
                                  [&](const Exporter& each) { return each.kind == context.request.kind; });
    if (row == kExporters.end()) {
        outcome.failure = Failure{InstallerExit::usage, "nothing of that kind can be exported", ""};
        return outcome;
    }
    const auto files = row->make(context);
    if (!files) {
        outcome.failure = row->failure(context.request, files.error());
        return outcome;
    }
    if (const auto written = write_all_of(context.request.directory, *files, outcome); !written)
        outcome.failure = failure_from(InstallerExit::usage, written.error(), "Name a folder that you may write to.");
    return outcome;
}

} // namespace picket::install
