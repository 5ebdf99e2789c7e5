#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/files.h>
#include <picket/install/kept_packages.h>

#include "handlers.h"

/// The steps that put another version in the place of the installed one, and the way back.
namespace picket::install {
namespace {

using data::Json;

constexpr Bytes kPackageLimit = gibibytes(1);
constexpr Milliseconds kLockTimeout{120'000};
constexpr Milliseconds kStartTimeout{90'000};
constexpr Milliseconds kStopTimeout{30'000};
constexpr const char* kGate = "picketd.service";
constexpr const char* kEngine = "picket-engine.service";

KeptPackage package_of(const Json& parameters, std::string_view key) {
    const Json& entry = data::member(parameters, key);
    return {data::string_or(entry, "version", ""), data::string_or(entry, "sha256", ""),
            data::string_or(entry, "path", "")};
}

// ---- package.keep

Result<Json> prepare_keep(const HandlerContext& context, const Step& step) {
    const KeptPackage package = package_of(step.parameters, "package");
    return Json{{"existed", context.ports.root.exists(package.path)},
                {"folder_existed", context.ports.root.exists(files::kKeptPackages)}};
}

Result<void> keep(const sys::Root& root, const std::string& from, const KeptPackage& package) {
    if (root.exists(package.path) && verify(root, package))
        return {};
    PICKET_TRY(root.make_directories(files::kKeptPackages, 0700));
    const std::string content = PICKET_TRY(root.read(from, kPackageLimit));
    PICKET_TRY(root.write_atomically(package.path, content, 0600));
    return verify(root, package);
}

StepOutcome apply_keep(const HandlerContext& context, const Step& step, const Json&) {
    const KeptPackage package = package_of(step.parameters, "package");
    return outcome_of(keep(context.ports.root, data::string_or(step.parameters, "from", ""), package),
                      InstallerExit::installation_failed, package.path);
}

Result<void> undo_keep(const HandlerContext& context, const Step& step, const Json& record) {
    if (data::bool_or(record, "existed", true))
        return {};
    PICKET_TRY(context.ports.root.remove(package_of(step.parameters, "package").path));
    if (!data::bool_or(record, "folder_existed", true))
        (void)context.ports.root.remove(files::kKeptPackages); // stays where anything is in it
    return {};
}

// ---- package.upgrade, package.rollback: both put the package `to` in the place of the version `from`

Result<Json> prepare_replace(const HandlerContext& context, const Step&) {
    if (context.ports.packages == nullptr)
        return Error(ErrorCode::not_found, "this host has no package manager that picket-installer can drive");
    const auto state = PICKET_TRY(context.ports.packages->state(files::kPackageName));
    Json active = Json::array();
    for (const sys::UnitStatus& unit : PICKET_TRY(context.ports.services.status(units())))
        if (unit.active)
            active.push_back(unit.unit);
    return Json{{"status", sys::to_string(state.status)}, {"version", state.version}, {"active", active}};
}

std::string running_version(const HandlerContext& context) {
    const auto health = context.ports.daemon.health();
    return health ? data::string_or(*health, "app_version", "") : std::string();
}

/// Where the package restarts nothing (no systemd, or policy-rc.d forbids it) the old programs run on.
Result<void> restart_outdated(const HandlerContext& context, const std::string& version) {
    const std::string running = running_version(context);
    if (running.empty() || running == version)
        return {};
    PICKET_TRY(context.ports.services.stop(units(), kStopTimeout));
    return context.ports.services.start(units(), kStartTimeout);
}

Result<void> put(const HandlerContext& context, const KeptPackage& package) {
    PICKET_TRY(verify(context.ports.root, package));
    PICKET_TRY(context.ports.packages->install(context.ports.root.label() + package.path));
    const auto now = PICKET_TRY(context.ports.packages->state(files::kPackageName));
    if (now.status != sys::PackageStatus::installed || now.version != package.version)
        return Error(ErrorCode::internal,
                     fmt::format("after it the package manager has {} {}", now.version, sys::to_string(now.status)));
    return context.ports.image ? Result<void>() : restart_outdated(context, package.version);
}

std::string gap_text(const HandlerContext& context) {
    const auto gate = context.ports.services.last_restart(kGate);
    const auto engine = context.ports.services.last_restart(kEngine);
    if (!gate || !engine)
        return "";
    return fmt::format("; its restart took the gate {} ms and the engine {} ms", gate->count(), engine->count());
}

StepOutcome apply_replace(const HandlerContext& context, const Step& step, const Json& record) {
    const KeptPackage package = package_of(step.parameters, "to");
    const auto done = put(context, package);
    const bool busy = !done && done.error().code() == ErrorCode::unavailable;
    return outcome_of(done, busy ? InstallerExit::package_manager_busy : InstallerExit::installation_failed,
                      fmt::format("{} {} -> {}{}", data::string_or(step.parameters, "manager", ""),
                                  data::string_or(record, "version", ""), package.version,
                                  done && !context.ports.image ? gap_text(context) : ""));
}

/// What the version that is given up had to say: the services' journal, newest lines last. Where that cannot be had,
/// nothing is kept and nothing fails.
void keep_logs(const HandlerContext& context, const std::string& path) {
    if (context.ports.image || path.empty())
        return;
    std::string text = context.ports.daemon.recent_log();
    const auto health = context.ports.daemon.health();
    text += "\nhealth before it was given up: " + (health ? data::to_pretty_text(*health) : health.error().message()) +
            "\n";
    if (context.ports.root.make_directories("/var/log/picket", 0750))
        (void)context.ports.root.write_atomically(path, text, 0640);
}

/// What was begun, whole: where it cannot be finished it is put there once more.
Result<void> complete(const HandlerContext& context, const KeptPackage& package) {
    if (context.ports.packages->finish(files::kPackageName))
        return {};
    return put(context, package);
}

/// Without a way back, what was begun is finished: a whole package of the new version is better than half of two.
Result<void> undo_replace(const HandlerContext& context, const Step& step, const Json& record) {
    if (context.ports.packages == nullptr)
        return Error(ErrorCode::not_found, "this host has no package manager that picket-installer can drive");
    PICKET_TRY(context.ports.host.wait_for_package_manager(kLockTimeout));
    const auto now = PICKET_TRY(context.ports.packages->state(files::kPackageName));
    const bool untouched =
        now.status == sys::PackageStatus::installed && now.version == data::string_or(record, "version", "");
    const KeptPackage back = package_of(step.parameters, "way_back");
    if (!untouched) {
        keep_logs(context, data::string_or(step.parameters, "log", ""));
        if (back.path.empty())
            PICKET_TRY(now.status == sys::PackageStatus::installed
                           ? Result<void>()
                           : complete(context, package_of(step.parameters, "to")));
        else
            PICKET_TRY(put(context, back));
    }
    const auto active = data::strings_of(data::member(record, "active"));
    return active.empty() || context.ports.image ? Result<void>() : context.ports.services.start(active, kStartTimeout);
}

// ---- packages.prune

StepOutcome apply_prune(const HandlerContext& context, const Step& step, const Json&) {
    const auto keep = data::strings_of(data::member(step.parameters, "keep"));
    return {.detail = fmt::format("{} removed", prune_kept_packages(context.ports.root, keep))};
}

constexpr std::array kUpgradeHandlers{
    Handler{"package.keep", prepare_keep, apply_keep, undo_keep},
    Handler{"package.upgrade", prepare_replace, apply_replace, undo_replace},
    Handler{"package.rollback", prepare_replace, apply_replace, undo_replace},
    Handler{"packages.prune", prepare_nothing, apply_prune, undo_nothing},
};

} // namespace

std::span<const Handler> upgrade_handlers() {
    return kUpgradeHandlers;
}

} // namespace picket::install
