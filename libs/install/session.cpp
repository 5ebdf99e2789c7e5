#include <picket/install/session.h>

#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/executor.h>
#include <picket/install/files.h>
#include <picket/install/known_files.h>
#include <picket/install/lock.h>
#include <picket/install/predict.h>
#include <picket/model/paths.h>

namespace picket::install {
namespace {

bool only_looks(VerbKind verb) {
    return verb == VerbKind::check || verb == VerbKind::status;
}

std::vector<StepReport> steps_of(const Journal& journal, bool dry_run) {
    std::vector<StepReport> steps;
    for (const JournalStep& entry : journal.steps) {
        // In a dry run nothing was tried; after a failure what came later was not reached.
        const StepStatus status = entry.status == StepStatus::pending ? StepStatus::skipped : entry.status;
        steps.push_back({entry.step.id, entry.step.title, std::string(to_string(status)),
                         dry_run ? "would " + entry.step.title : entry.detail, entry.duration_ms});
    }
    return steps;
}

std::vector<std::string> present_identity_files(const sys::Root& root) {
    std::vector<std::string> present;
    const std::string database = paths::kStateDatabase;
    for (const std::string& path :
         {std::string(paths::kMachineId), database, database + "-wal", database + "-shm", database + "-journal"})
        if (root.exists(path))
            present.push_back(path);
    return present;
}

} // namespace

std::string_view to_string(VerbKind verb) {
    static constexpr std::array<std::string_view, 12> kNames{
        "check",         "install", "onboard",  "offboard",           "status",           "uninstall", "selftest",
        "prepare-image", "upgrade", "rollback", "os-upgrade prepare", "os-upgrade finish"};
    return kNames[static_cast<std::size_t>(verb)];
}

data::Json to_json(const Report& report) {
    data::Json steps = data::Json::array();
    for (const StepReport& step : report.steps)
        steps.push_back({{"id", step.id},
                         {"title", step.title},
                         {"status", step.status},
                         {"detail", step.detail},
                         {"ms", step.duration_ms}});
    return {{"schema", 1},
            {"verb", report.verb},
            {"changed", report.changed},
            {"dry_run", report.dry_run},
            {"before", report.before},
            {"after", report.after},
            {"steps", steps},
            {"checks", report.checks},
            {"error", report.failure ? to_json(*report.failure) : data::Json()}};
}

Report Session::run(const Request& request) {
    using Method = Refusal (Session::*)(const Request&, Report&);
    static constexpr std::array<Method, 12> kVerbs{&Session::check,
                                                   &Session::install,
                                                   &Session::onboard,
                                                   &Session::offboard,
                                                   nullptr,
                                                   &Session::uninstall,
                                                   &Session::self_test,
                                                   &Session::prepare_image,
                                                   &Session::upgrade,
                                                   &Session::roll_back,
                                                   &Session::prepare_os_upgrade,
                                                   &Session::finish_os_upgrade};
    Report report;
    report.verb = to_string(request.verb);
    report.dry_run = request.dry_run;
    UniqueFd lock;
    report.failure = begin(request, report, lock);
    if (report.failure)
        return report;
    if (const Method method = kVerbs[static_cast<std::size_t>(request.verb)])
        report.failure = (this->*method)(request, report);
    if (lock)
        tidy();
    const auto after = planned_ ? Result<HostState>(*planned_) : read_state(ports_);
    report.after = after ? summary_of(*after) : data::Json::object();
    if (request.verb == VerbKind::status)
        report.after["interrupted_run"] = interrupted_run();
    return report;
}

Session::Refusal Session::begin(const Request& request, Report& report, UniqueFd& lock) {
    if (!only_looks(request.verb)) {
        if (!request.is_root)
            return Failure{InstallerExit::not_root, fmt::format("picket-installer {} changes the host", report.verb),
                           ""};
        auto taken = take_lock(ports_.root);
        if (!taken)
            return failure_from(taken.error().code() == ErrorCode::conflict ? InstallerExit::already_running
                                                                            : InstallerExit::internal,
                                taken.error());
        lock = std::move(*taken);
        if (!request.dry_run)
            if (auto failure = recover(request.lock_timeout))
                return failure;
    }
    auto state = read_state(ports_);
    if (!state)
        return failure_from(InstallerExit::internal, state.error());
    state_ = std::move(*state);
    report.before = summary_of(state_);
    report.after = report.before;
    return std::nullopt;
}

Session::Refusal Session::recover(Milliseconds lock_timeout) {
    auto loaded = journal_.load();
    if (!loaded) {
        // Nothing can be learnt from it; what is on the host is looked at anew, and a half-installed package is seen.
        progress_.note(
            fmt::format("The journal of an earlier run is unreadable and is set aside: {}", loaded.error().message()));
        if (const auto cleared = journal_.clear(); !cleared)
            return failure_from(InstallerExit::internal, cleared.error());
        return std::nullopt;
    }
    if (!*loaded)
        return std::nullopt;
    // The killed run's package manager has a session of its own and may still be at work.
    (void)ports_.host.wait_for_package_manager(lock_timeout);
    const std::map<std::string, FileChange> no_contents; // only undo, verification and removal are left to do
    HostExecutor executor(ports_, no_contents, stop_);
    Transaction transaction(journal_, executor, progress_, ports_.clock, stop_);
    TransactionEnd end = transaction.recover(**loaded);
    if (end.failure && end.failure->exit != InstallerExit::self_test_failed && !end.stands &&
        journal_.load().value_or(std::nullopt))
        return end.failure;
    tidy();
    return std::nullopt;
}

/// Working files go; the directories that only a journal made go with them where no package owns them.
void Session::tidy() {
    if (!journal_.load().value_or(Journal{}).has_value()) {
        (void)remove_known(ports_.root, working_files());
        if (!ports_.root.exists(paths::kOsUpgrade))
            (void)ports_.root.remove(files::kSparedInstaller);
        const auto package = ports_.packages != nullptr ? ports_.packages->state(files::kPackageName)
                                                        : Result<sys::PackageState>(sys::PackageState{});
        if (package && package->status != sys::PackageStatus::installed)
            for (const char* directory : {paths::kInstallDirectory, paths::kStateDirectory})
                (void)ports_.root.remove(directory); // stays where anything is in it
    }
}

data::Json Session::interrupted_run() {
    const auto loaded = journal_.load();
    if (!loaded)
        return {{"state", loaded.error().code() == ErrorCode::permission ? "unknown" : "unreadable"},
                {"message", loaded.error().message()}};
    if (!*loaded)
        return nullptr;
    const Journal& journal = **loaded;
    std::string step;
    for (const JournalStep& entry : journal.steps)
        if (entry.status != StepStatus::pending)
            step = fmt::format("{} ({})", entry.step.id, to_string(entry.status));
    return {{"verb", journal.verb},
            {"started", journal.started},
            {"last_step", step},
            {"state", journal.undoing ? "undoing" : "interrupted"},
            {"message", "An earlier run was cut off. The next install, onboard, offboard or uninstall finishes or "
                        "undoes it first."}};
}

Session::Refusal Session::carry_out(const Request& request, Plan plan, Report& report) {
    if (plan.empty()) {
        progress_.note("Nothing to do: the host is as it should be.");
        return std::nullopt;
    }
    if (request.dry_run) {
        report.steps = steps_of(plan.journal, true);
        report.changed = plan.changes();
        planned_ = predicted_state(state_, plan);
        return std::nullopt;
    }
    plan.journal.started = to_rfc3339(ports_.clock.wall());
    HostExecutor executor(ports_, plan.files, stop_);
    Transaction transaction(journal_, executor, progress_, ports_.clock, stop_);
    const TransactionEnd end = transaction.run(plan.journal);
    report.steps = steps_of(plan.journal, false);
    report.changed = end.stands && plan.journal.any_change_done();
    return end.failure;
}

Session::Refusal Session::offboard(const Request& request, Report& report) {
    if (!state_.installed() && !state_.onboarded())
        return not_installed_failure(state_);
    return carry_out(request, plan_offboard(state_), report);
}

Session::Refusal Session::uninstall(const Request& request, Report& report) {
    if (request.uninstall_mode == UninstallMode::purge)
        if (const std::string mounted = foreign_mount(ports_.root); !mounted.empty())
            return Failure{
                InstallerExit::uninstallation_failed,
                fmt::format("a file system is mounted on {}: nothing was removed", escape_for_display(mounted)),
                "Run picket-installer uninstall, unmount it, then run picket-installer uninstall --purge."};
    return carry_out(request, plan_uninstall(state_, request.uninstall_mode, request.lock_timeout, ports_.image),
                     report);
}

Session::Refusal Session::prepare_image(const Request& request, Report& report) {
    if (!state_.installed())
        return not_installed_failure(state_);
    return carry_out(request, plan_prepare_image(state_, present_identity_files(ports_.root), ports_.image), report);
}

Session::Refusal Session::self_test(const Request&, Report& report) {
    if (!state_.installed())
        return not_installed_failure(state_);
    const auto result = ports_.daemon.self_test();
    const bool passed = result && result->passed;
    const std::string detail = result ? result->detail : result.error().message();
    report.steps.push_back(
        {"selftest.run", "prove it with a harmless test file", passed ? "done" : "failed", detail, 0});
    if (passed) {
        (void)ports_.root.remove(files::kUnproved);
        return std::nullopt;
    }
    return Failure{InstallerExit::self_test_failed, "the self-test failed: " + detail,
                   "picket health says what is missing."};
}

} // namespace picket::install
