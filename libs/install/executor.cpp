#include <picket/install/executor.h>

#include <fmt/format.h>

#include "handlers.h"

namespace picket::install {
namespace {

const Handler* handler_of(std::string_view id) {
    for (const auto table : {file_handlers(), package_handlers(), repository_handlers(), service_handlers(),
                             upgrade_handlers(), os_upgrade_handlers()})
        for (const Handler& row : table)
            if (row.id == id)
                return &row;
    return nullptr;
}

/// A newer installer's journal may name a step that this one does not know.
Error unknown_step(const Step& step) {
    return Error(ErrorCode::internal, fmt::format("no such step: {} (was it a newer picket-installer?)", step.id));
}

} // namespace

Result<data::Json> HostExecutor::prepare(const Step& step) {
    const Handler* handler = handler_of(step.id);
    if (handler == nullptr)
        return unknown_step(step);
    return handler->prepare({ports_, files_, stop_}, step);
}

StepOutcome HostExecutor::apply(const Step& step, const data::Json& undo_record) {
    const Handler* handler = handler_of(step.id);
    if (handler == nullptr)
        return {.failure = failure_from(InstallerExit::internal, unknown_step(step))};
    return handler->apply({ports_, files_, stop_}, step, undo_record);
}

Result<void> HostExecutor::undo(const Step& step, const data::Json& undo_record) {
    const Handler* handler = handler_of(step.id);
    if (handler == nullptr)
        return unknown_step(step);
    return handler->undo({ports_, files_, stop_}, step, undo_record);
}

Result<data::Json> prepare_nothing(const HandlerContext&, const Step&) {
    return data::Json::object();
}
Result<void> undo_nothing(const HandlerContext&, const Step&, const data::Json&) {
    return {};
}

StepOutcome outcome_of(const Result<void>& result, InstallerExit exit, std::string detail, std::string fix) {
    StepOutcome outcome{.detail = std::move(detail)};
    if (!result)
        outcome.failure =
            failure_from(result.error().code() == ErrorCode::cancelled ? InstallerExit::interrupted : exit,
                         result.error(), std::move(fix));
    return outcome;
}

} // namespace picket::install
