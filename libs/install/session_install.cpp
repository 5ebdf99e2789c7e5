#include <cerrno>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/install/files.h>
#include <picket/install/known_files.h>
#include <picket/install/session.h>
#include <picket/install/version_order.h>
#include <picket/model/paths.h>

/// The verbs that take something in: what they are given is opened and verified before anything is planned.
namespace picket::install {
namespace {

/// A full disk is no word about the bundle, whose check has an exit code of its own.
std::optional<Failure> no_room_for(const std::optional<CheckRequest::Input>& input) {
    auto failure = failure_of(input);
    return failure && failure->exit == InstallerExit::requirement_not_met ? failure : std::nullopt;
}

CheckRequest::Input expiry_of(const std::string& what, WallTime end, WallTime now) {
    CheckRequest::Input input{fmt::format("{} {} {}", what, now < end ? "expires" : "expired", to_rfc3339(end)), {}};
    if (now + build::kExpirationWarning >= end)
        input.advice =
            now < end ? "fetch a newer bundle before that day" : "fetch a newer bundle; until then this one protects";
    return input;
}

} // namespace

std::optional<Failure> failure_of(const std::optional<CheckRequest::Input>& input) {
    return input ? input->failure : std::nullopt;
}

Failure not_installed_failure(const HostState& state) {
    if (state.os_upgrade.is_null())
        return Failure{InstallerExit::not_installed, "Picket is not installed on this host", ""};
    return Failure{InstallerExit::not_installed,
                   fmt::format("Picket was taken out of this host for an upgrade of the operating system ({}, by {})",
                               data::string_or(state.os_upgrade, "since", "?"),
                               data::string_or(state.os_upgrade, "by", "?")),
                   "picket-installer os-upgrade finish puts it back."};
}

Session::Refusal Session::open_onboarding(const Request& request, Wishes& wishes) {
    auto material = ports_.trust.open_onboarding(request.onboarding, request.trust_key);
    if (!material)
        return failure_from(material.error().code() == ErrorCode::not_found ? InstallerExit::onboarding_not_found
                                                                            : InstallerExit::onboarding_refused,
                            material.error());
    wishes.onboarding = std::move(*material);
    return refuse_other_organisation(request, wishes);
}

Session::Refusal Session::refuse_other_organisation(const Request& request, const Wishes& wishes) const {
    const std::string& pinned = state_.pinned_key;
    if (pinned.empty() || pinned == wishes.onboarding->public_key || request.replace_org)
        return std::nullopt;
    return Failure{InstallerExit::onboarding_refused,
                   fmt::format("the package of {} is signed with another key than the one that this host is pinned to",
                               wishes.onboarding->org_name),
                   "If the host is to change its organisation, say so with --replace-org."};
}

Result<void> Session::make_incoming() {
    (void)remove_known(ports_.root, working_files()); // of a killed run; no transaction is open here
    // Each by itself: a folder that is only on the way to another one gets 0755, and the package leaves what it finds.
    for (const char* directory : {paths::kInstallDirectory, files::kIncoming})
        PICKET_TRY(ports_.root.make_directories(directory, 0700));
    return {};
}

void Session::open_bundle(const Request& request, Wishes& wishes, CheckRequest& checks) {
    if (request.bundle.empty())
        return;
    checks.bundle.emplace();
    if (const auto made = make_incoming(); !made) {
        checks.bundle->failure = failure_from(InstallerExit::installation_failed, made.error());
        return;
    }
    auto material = ports_.trust.open_bundle(request.bundle);
    if (!material) {
        // A full disk says nothing about the bundle.
        const bool full = material.error().errno_value() == ENOSPC;
        checks.bundle->failure = failure_from(
            full ? InstallerExit::requirement_not_met : InstallerExit::bundle_refused, material.error(),
            full ? fmt::format("Make room on the file system of {}, then try again.", files::kIncoming) : "");
        return;
    }
    checks.bundle->observed = "signed by a release key, version " + material->version;
    const WallTime now = ports_.clock.wall();
    checks.bundle_expiry = expiry_of("version " + material->version, material->expires, now);
    // Whoever serves old bundles keeps a fleet on old versions. The one that is here already stays and protects.
    if (now >= material->expires && state_.package.version != material->version)
        checks.bundle_expiry->failure =
            Failure{InstallerExit::bundle_refused, "the bundle expired " + to_rfc3339(material->expires),
                    "Fetch a newer bundle. Where there is none, --accept bundle.expiry: an old version protects too."};
    wishes.bundle = std::move(*material);
}

/// False where the host was not installed from one.
bool Session::take_repository_of_receipt(Request& request) const {
    RepositoryWish wish = repository_of_receipt(state_.receipt);
    request.from_repo = std::move(wish.url);
    request.ring = std::move(wish.ring);
    request.repo_keys = std::move(wish.keys);
    return !request.from_repo.empty();
}

void Session::open_repository(const Request& request, Wishes& wishes, CheckRequest& checks) {
    checks.bundle.emplace();
    auto material =
        install::open_repository(ports_, {request.from_repo, request.ring, request.repo_keys}, state_.receipt);
    if (!material) {
        checks.bundle->failure = repository_failure(request.from_repo, material.error());
        return;
    }
    checks.bundle->observed =
        fmt::format("repository {}, {}, version {}", request.from_repo, material->source.trusted_by, material->version);
    if (material->expires)
        checks.bundle_expiry = CheckRequest::Input{"its index expires " + to_rfc3339(*material->expires), std::nullopt};
    wishes.repository = std::move(*material);
    wishes.repository_kind = ports_.repositories->kind();
}

Session::Refusal Session::open_inputs(const Request& request, Wishes& wishes, CheckRequest& checks) {
    if (!request.profiles.empty()) {
        wishes.install_profiles.emplace();
        for (const std::string& path : request.profiles) {
            auto text = ports_.profiles.render(path);
            if (!text)
                return failure_from(InstallerExit::profile_refused, text.error());
            wishes.install_profiles->push_back(std::move(*text));
        }
    }
    wishes.tags = request.tags;
    wishes.accepted = request.accepted;
    wishes.lock_timeout = request.lock_timeout;
    wishes.image = ports_.image;
    checks.accepted = request.accepted;
    checks.support_matrix = request.support_matrix;
    checks.lock_timeout = request.lock_timeout;
    if (request.onboarding.empty())
        return std::nullopt;
    auto failure = open_onboarding(request, wishes);
    if (failure && failure->exit == InstallerExit::onboarding_not_found)
        return failure;
    checks.onboarding = CheckRequest::Input{failure ? "" : "organisation " + wishes.onboarding->org_name, failure};
    if (!failure)
        checks.onboarding_document = wishes.onboarding->document;
    return std::nullopt;
}

Session::Refusal Session::requirements_of_install(const Request& request, const Wishes& wishes) const {
    // Where the operating system was upgraded all is as it was: offboarded, too.
    if (!wishes.onboarding && !state_.onboarded() && request.onboarding.empty() &&
        request.verb != VerbKind::os_upgrade_finish)
        return Failure{InstallerExit::onboarding_not_found, "this host belongs to no organisation yet", ""};
    if (wishes.repository)
        return std::nullopt; // what is installed stays: newer versions are the package manager's own business
    if (wishes.bundle && state_.installed() && state_.package.version != wishes.bundle->version)
        return Failure{InstallerExit::requirement_not_met,
                       fmt::format("Picket {} is installed, and the bundle holds {}", state_.package.version,
                                   wishes.bundle->version),
                       is_older(wishes.bundle->version, state_.package.version)
                           ? "picket-installer rollback goes back to the version before an upgrade."
                           : "picket-installer upgrade puts the bundle's version in its place."};
    if (state_.installed() || wishes.bundle || wishes.kept || !request.bundle.empty())
        return std::nullopt;
    return Failure{InstallerExit::bundle_refused, "no bundle beside this program nor in the current directory",
                   "Name it with --bundle FILE (picket-VERSION-ARCH.tar.gz)."};
}

Session::Refusal Session::check(const Request& request, Report& report) {
    Wishes wishes;
    CheckRequest checks;
    if (auto failure = open_inputs(request, wishes, checks))
        return failure;
    // No bundle is opened here: this program is a part of one, and of the same day.
    checks.bundle_expiry =
        expiry_of(fmt::format("this program, version {},", build::version()), build::expiration(), ports_.clock.wall());
    CheckAnswer answer = ports_.host.check(checks);
    report.checks = std::move(answer.checks);
    return answer.failure;
}

/// Waited for here, where Ctrl-C is heard; the check then says who still holds it.
Session::Refusal Session::await_package_manager(const Request& request, CheckRequest& checks) {
    const auto waited = ports_.host.wait_for_package_manager(request.lock_timeout);
    if (!waited && waited.error().code() == ErrorCode::cancelled)
        return failure_from(InstallerExit::interrupted, waited.error(), "Nothing was changed.");
    checks.lock_timeout = Milliseconds(0);
    return std::nullopt;
}

Session::Refusal Session::install(const Request& request, Report& report) {
    Wishes wishes;
    CheckRequest checks;
    if (auto failure = open_inputs(request, wishes, checks))
        return failure;
    open_material(request, wishes, checks);
    return install_opened(request, wishes, checks, report);
}

void Session::open_material(const Request& request, Wishes& wishes, CheckRequest& checks) {
    if (request.from_repo.empty())
        open_bundle(request, wishes, checks);
    else
        open_repository(request, wishes, checks);
}

Session::Refusal Session::install_opened(const Request& request, Wishes& wishes, CheckRequest& checks, Report& report) {
    if (auto failure = await_package_manager(request, checks))
        return failure;
    CheckAnswer answer = ports_.host.check(checks);
    report.checks = std::move(answer.checks);
    if (answer.failure && answer.failure->exit == InstallerExit::broken_installation &&
        (wishes.bundle || wishes.repository || wishes.kept)) {
        // The package mends that; what else fails counts all the same.
        wishes.repair = true;
        checks.accepted.emplace_back("product.installed");
        answer = ports_.host.check(checks);
    }
    // --accept may waive a check, but not bring what could not be opened.
    for (const auto& failure : {no_room_for(checks.bundle), answer.failure, failure_of(checks.bundle),
                                failure_of(checks.onboarding), requirements_of_install(request, wishes)})
        if (failure)
            return failure;
    wishes.distribution = ports_.host.distribution();
    Plan plan = plan_install(state_, wishes);
    plan.journal.verb = report.verb;
    return carry_out(request, std::move(plan), report);
}

Session::Refusal Session::onboard(const Request& request, Report& report) {
    if (!state_.installed())
        return not_installed_failure(state_);
    Wishes wishes;
    CheckRequest checks;
    if (auto failure = open_inputs(request, wishes, checks))
        return failure;
    if (auto failure = failure_of(checks.onboarding))
        return failure;
    return carry_out(request, plan_onboard(state_, wishes), report);
}

} // namespace picket::install
