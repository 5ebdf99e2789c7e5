#include <array>

#include <fmt/format.h>
#include <picket/install/files.h>

#include "handlers.h"

namespace picket::install {
namespace {

using data::Json;

constexpr Milliseconds kUndoLockTimeout{120'000};

Error no_package_manager() {
    return Error(ErrorCode::not_found, "this host has no package manager that picket-installer can drive (dpkg, rpm)");
}

// ---- package_manager.wait

StepOutcome apply_wait(const HandlerContext& context, const Step& step, const Json&) {
    const Milliseconds timeout(data::integer_or(step.parameters, "timeout_ms", 120'000));
    return outcome_of(context.ports.host.wait_for_package_manager(timeout), InstallerExit::package_manager_busy);
}

// ---- package.install

Result<Json> prepare_install(const HandlerContext& context, const Step& step) {
    if (context.ports.packages == nullptr)
        return no_package_manager();
    const std::string package = PICKET_TRY(data::get_string(step.parameters, "package"));
    const auto state = PICKET_TRY(context.ports.packages->state(package));
    return Json{{"status", sys::to_string(state.status)}, {"version", state.version}};
}

StepOutcome apply_install(const HandlerContext& context, const Step& step, const Json&) {
    if (step.parameters.contains("repository"))
        return install_from_repository(context, step);
    const std::string file = context.ports.root.label() + data::string_or(step.parameters, "file", "");
    const auto installed = context.ports.packages->install(file);
    if (!installed && installed.error().code() == ErrorCode::unavailable)
        return outcome_of(installed, InstallerExit::package_manager_busy);
    if (!installed && installed.error().code() == ErrorCode::not_found)
        return outcome_of(installed, InstallerExit::installation_failed, "",
                          "Install the packages that are named (this host was not asked to download anything), then "
                          "install again.");
    if (!installed)
        return outcome_of(installed, InstallerExit::installation_failed);
    return {.detail = fmt::format("{} {}", data::string_or(step.parameters, "manager", ""),
                                  data::string_or(step.parameters, "version", ""))};
}

/// What was there before decides how thoroughly it goes: a state that an earlier uninstall kept is not ours to purge.
Result<void> undo_install(const HandlerContext& context, const Step& step, const Json& record) {
    if (context.ports.packages == nullptr)
        return no_package_manager();
    const std::string before = data::string_or(record, "status", "");
    if (before == to_string(sys::PackageStatus::installed))
        return {};
    PICKET_TRY(context.ports.host.wait_for_package_manager(kUndoLockTimeout));
    const bool kept =
        before != to_string(sys::PackageStatus::absent) || data::bool_or(step.parameters, "state_kept", true);
    return context.ports.packages->remove(data::string_or(step.parameters, "package", files::kPackageName),
                                          kept ? sys::PackageRemoval::keep_configuration : sys::PackageRemoval::purge);
}

// ---- package.remove

StepOutcome apply_remove(const HandlerContext& context, const Step& step, const Json&) {
    if (context.ports.packages == nullptr)
        return outcome_of(no_package_manager(), InstallerExit::uninstallation_failed);
    const bool purge = data::bool_or(step.parameters, "purge", false);
    const auto removed =
        context.ports.packages->remove(data::string_or(step.parameters, "package", files::kPackageName),
                                       purge ? sys::PackageRemoval::purge : sys::PackageRemoval::keep_configuration);
    const bool busy = !removed && removed.error().code() == ErrorCode::unavailable;
    return outcome_of(removed, busy ? InstallerExit::package_manager_busy : InstallerExit::uninstallation_failed);
}

// ---- definitions.install

StepOutcome apply_definitions(const HandlerContext& context, const Step& step, const Json&) {
    const std::string name = data::string_or(step.parameters, "name", "");
    return outcome_of(context.ports.definitions.install(data::string_or(step.parameters, "directory", ""), name),
                      InstallerExit::installation_failed, name);
}

Result<void> undo_definitions(const HandlerContext& context, const Step& step, const Json&) {
    return context.ports.definitions.remove(data::string_or(step.parameters, "name", ""),
                                            data::string_or(step.parameters, "previous", ""));
}

constexpr std::array kPackageHandlers{
    Handler{"package_manager.wait", prepare_nothing, apply_wait, undo_nothing},
    Handler{"package.install", prepare_install, apply_install, undo_install},
    Handler{"package.remove", prepare_nothing, apply_remove, undo_nothing},
    Handler{"definitions.install", prepare_nothing, apply_definitions, undo_definitions},
};

} // namespace

std::span<const Handler> package_handlers() {
    return kPackageHandlers;
}

} // namespace picket::install
