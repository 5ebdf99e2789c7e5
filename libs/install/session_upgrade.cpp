#include <fmt/format.h>
#include <picket/install/files.h>
#include <picket/install/session.h>
#include <picket/install/version_order.h>

/// upgrade and rollback: another version in the place of the installed one, proved, or the one before again.
namespace picket::install {
namespace {

/// As a check of the report: a machine that drives a fleet reads it before it begins.
data::Json way_back_check(const HostState& state) {
    const bool kept = state.kept_of(state.package.version) != nullptr;
    return {
        {"id", "upgrade.way_back"},
        {"status", kept ? "pass" : "warn"},
        {"observed", kept ? fmt::format("the package of {} is kept", state.package.version)
                          : fmt::format("the package of {} is not on this host: no way back", state.package.version)},
        {"required", ""},
        {"fix", kept ? ""
                     : fmt::format("picket-installer install --bundle FILE, with the bundle of {}, keeps it.",
                                   state.package.version)}};
}

Failure older_bundle(const std::string& installed, const std::string& offered) {
    return {InstallerExit::requirement_not_met,
            fmt::format("Picket {} is installed, and the bundle holds the older {}", installed, offered),
            "picket-installer rollback goes back to the version before. If this version is wanted, say so with "
            "--allow-downgrade."};
}

} // namespace

Session::Refusal Session::check_for_replacement(const Request& request, CheckRequest& checks, Report& report) {
    if (auto failure = await_package_manager(request, checks))
        return failure;
    CheckAnswer answer = ports_.host.check(checks);
    report.checks = std::move(answer.checks);
    return answer.failure;
}

Session::Refusal Session::upgrade(const Request& request, Report& report) {
    if (!state_.has_programs())
        return not_installed_failure();
    Wishes wishes;
    CheckRequest checks;
    if (auto failure = open_inputs(request, wishes, checks))
        return failure;
    if (request.bundle.empty())
        return Failure{InstallerExit::bundle_refused, "no bundle beside this program nor in the current directory",
                       "Name it with --bundle FILE (picket-VERSION-ARCH.tar.gz)."};
    open_bundle(request, wishes, checks);
    auto failure = check_for_replacement(request, checks, report);
    for (const auto& each : {failure, failure_of(checks.bundle)})
        if (each)
            return each;
    const std::string& installed = state_.package.version;
    const std::string& offered = wishes.bundle->version;
    if (is_older(offered, installed) && !request.allow_downgrade)
        return older_bundle(installed, offered);
    if (offered != installed)
        report.checks.push_back(way_back_check(state_));
    return replace(request, plan_upgrade(state_, wishes), report);
}

Session::Refusal Session::roll_back(const Request& request, Report& report) {
    if (!state_.has_programs())
        return not_installed_failure();
    const KeptPackage* const back = state_.way_back();
    if (back == nullptr)
        return Failure{InstallerExit::requirement_not_met, "there is no version before on this host to go back to",
                       "picket-installer upgrade --allow-downgrade --bundle FILE, with the bundle of the version that "
                       "is wanted."};
    if (const auto whole = verify(ports_.root, *back); !whole)
        return failure_from(
            InstallerExit::bundle_refused, whole.error(),
            "picket-installer upgrade --allow-downgrade --bundle FILE, with the bundle of that version.");
    Wishes wishes;
    wishes.lock_timeout = request.lock_timeout;
    wishes.image = ports_.image;
    CheckRequest checks;
    checks.accepted = request.accepted;
    // A version that cannot be proved is what one goes back from.
    checks.accepted.emplace_back("product.installed");
    if (auto failure = check_for_replacement(request, checks, report))
        return failure;
    return replace(request, plan_rollback(state_, *back, wishes), report);
}

/// A plan that put the version before back says whether that one protects.
Session::Refusal Session::replace(const Request& request, Plan plan, Report& report) {
    const std::string before = state_.package.version;
    std::string log;
    for (const JournalStep& entry : plan.journal.steps)
        if (entry.step.parameters.contains("log"))
            log = data::string_or(entry.step.parameters, "log", "");
    auto failure = carry_out(request, std::move(plan), report);
    if (!failure || request.dry_run || ports_.image)
        return failure;
    bool touched = false;
    for (const StepReport& step : report.steps)
        touched = touched || (step.id.starts_with("package.") && step.id != "package.keep" &&
                              (step.status == "undone" || step.status == "failed"));
    const auto now = read_state(ports_);
    if (!touched || !now || now->package.version != before)
        return failure;
    const auto proof = ports_.daemon.self_test();
    const bool protects = proof && proof->passed;
    report.steps.push_back({"selftest.run", fmt::format("prove {} again", before), protects ? "done" : "failed",
                            proof ? proof->detail : proof.error().message(), 0});
    failure->fix = fmt::format("{} is back{}. What the other version said is in {}.", before,
                               protects ? " and protects" : ", and its self-test failed: picket health says why", log);
    return failure;
}

} // namespace picket::install
