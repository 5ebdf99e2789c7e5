#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/data/json.h>
#include <picket/install/failure.h>

namespace picket::install {

/// One thing to do, as data: what a dry run prints is what apply does. Parameters are shown and journalled, so they
/// never hold a secret.
struct Step {
    std::string id;    ///< "package.install"; picks its handler
    std::string title; ///< "install the package picket 0.1.0"
    data::Json parameters = data::Json::object();
    bool changes = true; ///< false: it only waits or looks
};

enum class StepStatus { pending, running, done, skipped, failed, undoing, undone };
std::string_view to_string(StepStatus status);
std::optional<StepStatus> step_status_from(std::string_view name);

struct StepOutcome {
    std::string detail;
    std::optional<Failure> failure; ///< the step did not do its work
    bool keep = false;              ///< with a failure: what was done stays, the remaining steps run
};

/// Does steps. The order of calls for one step is prepare, apply and, if it comes to that, undo; a crash may fall
/// between any two of them, so that undo also meets a step that never began, and apply one that is already done.
class StepExecutor {
  public:
    virtual ~StepExecutor() = default;
    /// What undo will need; changes nothing that matters. Saved in the journal before apply begins.
    virtual Result<data::Json> prepare(const Step& step) = 0;
    virtual StepOutcome apply(const Step& step, const data::Json& undo_record) = 0;
    virtual Result<void> undo(const Step& step, const data::Json& undo_record) = 0;
};

} // namespace picket::install
