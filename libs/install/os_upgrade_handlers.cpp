#include <array>

#include <picket/install/files.h>
#include <picket/model/paths.h>

#include "handlers.h"

/// What surrounds the removal and the installation where the operating system is upgraded between them.
namespace picket::install {
namespace {

using data::Json;

constexpr Bytes kProgramLimit = mebibytes(256);

Result<void> copy_program(const sys::Root& root, const char* from, const char* to) {
    const std::string content = PICKET_TRY(root.read(from, kProgramLimit));
    return root.write_atomically(to, content, 0755);
}

/// The package takes the installer along; without one on the host nobody could finish what was prepared.
Result<void> put_installer_back(const sys::Root& root) {
    if (root.exists(files::kInstaller) || !root.exists(files::kSparedInstaller))
        return {};
    return copy_program(root, files::kSparedInstaller, files::kInstaller);
}

Result<Json> remember_record(const HandlerContext& context, const Step&) {
    return remember_file(context.ports.root, paths::kOsUpgrade);
}

Result<void> restore_record(const HandlerContext& context, const Step&, const Json& record) {
    return restore_file(context.ports.root, record);
}

// ---- os_upgrade.begin

Result<void> begin(const sys::Root& root, const Json& record) {
    if (root.exists(files::kInstaller))
        PICKET_TRY(copy_program(root, files::kInstaller, files::kSparedInstaller));
    return root.write_atomically(paths::kOsUpgrade, data::to_pretty_text(record) + "\n", 0600);
}

StepOutcome apply_begin(const HandlerContext& context, const Step& step, const Json&) {
    return outcome_of(begin(context.ports.root, data::member(step.parameters, "record")),
                      InstallerExit::uninstallation_failed, paths::kOsUpgrade);
}

// ---- os_upgrade.keep_installer: after the removal

StepOutcome apply_keep_installer(const HandlerContext& context, const Step&, const Json&) {
    auto outcome = outcome_of(put_installer_back(context.ports.root), InstallerExit::uninstallation_failed, "",
                              "Finish with the picket-installer that is beside the bundle.");
    outcome.keep = true; // the programs are gone: there is nothing to go back to
    return outcome;
}

// ---- os_upgrade.resume: before the package goes in, which takes the installer along again where it is undone

Result<void> undo_resume(const HandlerContext& context, const Step&, const Json&) {
    return put_installer_back(context.ports.root);
}

StepOutcome apply_resume(const HandlerContext&, const Step& step, const Json&) {
    return {.detail = data::string_or(step.parameters, "distributions", "")};
}

// ---- os_upgrade.end

StepOutcome apply_end(const HandlerContext& context, const Step&, const Json&) {
    const auto gone = context.ports.root.remove(paths::kOsUpgrade);
    return outcome_of(gone ? Result<void>() : Result<void>(gone.error()), InstallerExit::installation_failed);
}

constexpr std::array kOsUpgradeHandlers{
    Handler{"os_upgrade.begin", remember_record, apply_begin, restore_record},
    Handler{"os_upgrade.keep_installer", prepare_nothing, apply_keep_installer, undo_nothing},
    Handler{"os_upgrade.resume", prepare_nothing, apply_resume, undo_resume},
    Handler{"os_upgrade.end", remember_record, apply_end, restore_record},
};

} // namespace

std::span<const Handler> os_upgrade_handlers() {
    return kOsUpgradeHandlers;
}

} // namespace picket::install
