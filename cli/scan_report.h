#pragma once
#include <optional>
#include <string_view>

#include <picket/command_line/progress.h>

#include "context.h"

namespace picket::cli {

/// What a scan says while it runs and at its end, whoever scans. Threats are printed as they come; as JSON everything
/// comes once, at the end.
class ScanReport {
  public:
    explicit ScanReport(const Context& context) : context_(context) {}

    /// {files_scanned, bytes_scanned, threats_found, files_visited?, files_total?, current}
    void progress(const data::Json& counts);
    /// {path, threat_name, action}
    void threat(const data::Json& threat);
    /// A file that could not be judged: {path, reason}. The first kMaximumNotes are named, all are counted.
    void failure(const data::Json& failure);
    /// Prints the record (status, counts …) and returns the exit code.
    int finish(data::Json record);

  private:
    static constexpr std::size_t kMaximumNotes = 1'000;
    const Context& context_;
    command_line::ProgressBar bar_;
    std::optional<std::int64_t> first_visited_;
    MonotonicTime began_{};
    data::Json threats_ = data::Json::array();
    data::Json failures_ = data::Json::array();
};

} // namespace picket::cli
