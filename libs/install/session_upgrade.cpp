#include <fmt/format.h>
#include <picket/install/files.h>
#include <picket/install/session.h>
#include <picket/install/version_order.h>

/// upgrade and rollback: another version in the place of the installed one, proved, or the one before again.
namespace picket::install {
namespace {

/// As a check of the report: a machine that drives a fleet reads it before it begins.
data::Json way_back_check(const HostState& state, const Wishes& wishes) {
    const auto back = way_back_of(state, wishes);
    const bool kept = back.has_value();
    return {
        {"id", "upgrade.way_back"},
        {"status", kept ? "pass" : "warn"},
        {"observed",
         !kept ? fmt::format("the package of {} is not on this host: no way back", state.package.version)
               : fmt::format("the package of {} is {}", state.package.version,
                             state.kept_of(back->version) != nullptr ? "kept" : "in the repository, and will be kept")},
        {"required", ""},
        {"fix", kept ? ""
                     : fmt::format("picket-installer install --bundle FILE, with the bundle of {}, keeps it.",
                                   state.package.version)}};
}

Failure older_version(const std::string& installed, const std::string& offered) {
    return {InstallerExit::requirement_not_met,
            fmt::format("Picket {} is installed, and {} is older", installed, offered),
            "picket-installer rollback goes back to the version before. If this version is wanted, say so with "
            "--allow-downgrade."};
}

/// A pin is the host's own package manager's, so that it holds for apt, dnf and zypper too. A version that is named
/// here is the administrator's word against it.
std::optional<Failure> against_wish(const Request& request, const sys::PackageState& now, const std::string& offered) {
    if (!request.version.empty() && request.version != offered)
        return Failure{InstallerExit::requirement_not_met,
                       fmt::format("{} is wanted, and the bundle holds {}", request.version, offered),
                       "Name the bundle of that version with --bundle FILE."};
    if (request.version.empty() && !now.held_by.empty())
        return Failure{InstallerExit::requirement_not_met,
                       fmt::format("Picket is held at {} ({} {})", now.version, now.held_by, files::kPackageName),
                       fmt::format("End that, or name the version with --version {}.", offered)};
    return std::nullopt;
}

} // namespace

Session::Refusal Session::check_for_replacement(const Request& request, CheckRequest& checks, Report& report) {
    if (auto failure = await_package_manager(request, checks))
        return failure;
    CheckAnswer answer = ports_.host.check(checks);
    report.checks = std::move(answer.checks);
    return answer.failure;
}

/// A bundle or a repository that is named; else the bundle at hand; else where the package came from.
Session::Refusal Session::open_upgrade(const Request& request, Wishes& wishes, CheckRequest& checks) {
    if (auto failure = open_inputs(request, wishes, checks))
        return failure;
    Request chosen = request;
    if (chosen.bundle.empty() && chosen.from_repo.empty() && !take_repository_of_receipt(chosen))
        return Failure{
            InstallerExit::bundle_refused, "no bundle beside this program nor in the current directory",
            "Name it with --bundle FILE (picket-VERSION-ARCH.tar.gz), or a repository with --from-repo URL."};
    open_material(chosen, wishes, checks);
    if (wishes.repository && !request.version.empty())
        wishes.repository->version = request.version; // a repository holds more than its newest
    return std::nullopt;
}

/// Before anything is planned, as a bundle is unpacked before. Without the version before there is no way back; that is
/// for the plan to say.
Result<void> Session::fetch_packages(Wishes& wishes) {
    PICKET_TRY(make_incoming());
    const TrustedRepository& source = wishes.repository->source;
    wishes.fetched.push_back(PICKET_TRY(fetch_package(ports_, source, wishes.repository->version)));
    if (state_.kept_of(state_.package.version) == nullptr)
        if (auto before = fetch_package(ports_, source, state_.package.version))
            wishes.fetched.push_back(std::move(*before));
    return {};
}

Session::Refusal Session::upgrade(const Request& request, Report& report) {
    if (!state_.has_programs())
        return not_installed_failure(state_);
    Wishes wishes;
    CheckRequest checks;
    if (auto failure = open_upgrade(request, wishes, checks))
        return failure;
    auto failure = check_for_replacement(request, checks, report);
    for (const auto& each : {failure, failure_of(checks.bundle)})
        if (each)
            return each;
    const std::string& installed = state_.package.version;
    const std::string& offered = offered_version(wishes);
    if (offered != installed || !request.version.empty())
        if (auto refused = against_wish(request, state_.package, offered))
            return refused;
    if (is_older(offered, installed) && !request.allow_downgrade)
        return older_version(installed, offered);
    if (offered == installed)
        return replace(request, plan_upgrade(state_, wishes), report);
    if (wishes.repository)
        if (const auto fetched = fetch_packages(wishes); !fetched)
            return repository_failure(wishes.repository->source.repository.url, fetched.error());
    report.checks.push_back(way_back_check(state_, wishes));
    return replace(request, plan_upgrade(state_, wishes), report);
}

Session::Refusal Session::roll_back(const Request& request, Report& report) {
    if (!state_.has_programs())
        return not_installed_failure(state_);
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
