#pragma once
#include <span>
#include <string_view>

#include <picket/install/executor.h>

/// Private to libs/install: one row per kind of step.
namespace picket::install {

struct HandlerContext {
    const Ports& ports;
    const std::map<std::string, FileChange>& files;
    const std::atomic<bool>& stop;
};

struct Handler {
    std::string_view id;
    Result<data::Json> (*prepare)(const HandlerContext&, const Step&);
    StepOutcome (*apply)(const HandlerContext&, const Step&, const data::Json&);
    Result<void> (*undo)(const HandlerContext&, const Step&, const data::Json&);
};
std::span<const Handler> file_handlers();
std::span<const Handler> package_handlers();
std::span<const Handler> repository_handlers();
std::span<const Handler> service_handlers();
std::span<const Handler> upgrade_handlers();
std::span<const Handler> os_upgrade_handlers();

Result<data::Json> prepare_nothing(const HandlerContext&, const Step&);
Result<void> undo_nothing(const HandlerContext&, const Step&, const data::Json&);
StepOutcome outcome_of(const Result<void>& result, InstallerExit exit, std::string detail = {}, std::string fix = {});

/// package.install, where its parameters name a repository.
StepOutcome install_from_repository(const HandlerContext& context, const Step& step);

/// Saves the old content of a file to files::kBackup; the record says how to get it back.
Result<data::Json> remember_file(const sys::Root& root, const std::string& path);
Result<void> restore_file(const sys::Root& root, const data::Json& record);

} // namespace picket::install
