#pragma once
#include <atomic>
#include <map>
#include <string>

#include <picket/install/plan.h>

namespace picket::install {

/// Does the steps of plan.h on a host, through the ports. One row of a table per step id (handlers.h).
class HostExecutor final : public StepExecutor {
  public:
    /// `files`: the contents that files steps refer to. Both must outlive this.
    HostExecutor(const Ports& ports, const std::map<std::string, FileChange>& files,
                 const std::atomic<bool>& stop_requested)
        : ports_(ports), files_(files), stop_(stop_requested) {}

    Result<data::Json> prepare(const Step& step) override;
    StepOutcome apply(const Step& step, const data::Json& undo_record) override;
    Result<void> undo(const Step& step, const data::Json& undo_record) override;

  private:
    const Ports& ports_;
    const std::map<std::string, FileChange>& files_;
    const std::atomic<bool>& stop_;
};

} // namespace picket::install
