#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/session.h>
#include <picket/install/version_order.h>
#include <picket/sys/process.h>

/// os-upgrade prepare and finish: Picket makes way for an upgrade of the operating system, and comes back.
namespace picket::install {
namespace {

/// Said before anything is taken away.
data::Json material_check(const Ports& ports, const HostState& state) {
    const KeptPackage* const kept = state.kept_of(state.package.version);
    const std::string url = repository_of_receipt(state.receipt).url;
    const bool whole = kept != nullptr && verify(ports.root, *kept);
    const bool there = whole || !url.empty();
    return {{"id", "os_upgrade.package"},
            {"status", there ? "pass" : "warn"},
            {"observed", whole   ? fmt::format("the package of {} is kept", state.package.version)
                         : there ? fmt::format("it comes from the repository {}", escape_for_display(url))
                                 : fmt::format("the package of {} is not on this host", state.package.version)},
            {"required", ""},
            {"fix", there ? ""
                          : "picket-installer os-upgrade finish will need a bundle: have one at hand, and name it with "
                            "--bundle FILE."}};
}

/// Only where it is wanted does a host come back with less than it had.
std::optional<Failure> older_than_before(const Request& request, const HostState& state, const Wishes& wishes) {
    const std::string before = data::string_or(state.os_upgrade, "version", "");
    const std::string offered = wishes.bundle || wishes.repository ? offered_version(wishes) : before;
    if (request.allow_downgrade || !is_older(offered, before))
        return std::nullopt;
    return Failure{InstallerExit::requirement_not_met,
                   fmt::format("Picket {} was installed before, and {} is older", before, offered),
                   "If this version is wanted, say so with --allow-downgrade."};
}

} // namespace

Session::Refusal Session::prepare_os_upgrade(const Request& request, Report& report) {
    if (!state_.has_programs() && state_.os_upgrade.is_null())
        return not_installed_failure(state_);
    if (!state_.has_programs()) {
        progress_.note("Nothing to do: this host is prepared already.");
        return std::nullopt;
    }
    report.checks.push_back(material_check(ports_, state_));
    const data::Json record{{"since", to_rfc3339(ports_.clock.wall())},
                            {"by", sys::login_user()},
                            {"from", ports_.host.distribution()},
                            {"version", state_.package.version}};
    auto failure =
        carry_out(request, plan_prepare_os_upgrade(state_, record, request.lock_timeout, ports_.image), report);
    if (failure && failure->fix.empty() && failure->exit == InstallerExit::uninstallation_failed)
        failure->fix = "Remove the cause that is named, then run picket-installer os-upgrade prepare again.";
    return failure;
}

/// A bundle or a repository that is named; else what is on this host; else where the package came from.
Session::Refusal Session::choose_material(Request& request, Wishes& wishes) const {
    if (state_.installed() || !request.bundle.empty() || !request.from_repo.empty())
        return std::nullopt;
    const std::string version = data::string_or(state_.os_upgrade, "version", "");
    const KeptPackage* const kept = state_.kept_of(version);
    if (kept != nullptr && verify(ports_.root, *kept)) {
        wishes.kept = *kept;
        return std::nullopt;
    }
    if (take_repository_of_receipt(request))
        return std::nullopt;
    return Failure{InstallerExit::bundle_refused,
                   fmt::format("the package of {} is not on this host, and no bundle was named", version),
                   "Name it with --bundle FILE (picket-VERSION-ARCH.tar.gz)."};
}

Session::Refusal Session::finish_os_upgrade(const Request& request, Report& report) {
    if (state_.os_upgrade.is_null() && state_.has_programs()) {
        progress_.note("Nothing to do: no upgrade of the operating system is under way.");
        return std::nullopt;
    }
    if (state_.os_upgrade.is_null())
        return not_installed_failure(state_);
    Wishes wishes;
    CheckRequest checks;
    Request chosen = request;
    if (auto failure = open_inputs(chosen, wishes, checks))
        return failure;
    if (auto failure = choose_material(chosen, wishes))
        return failure;
    if (!wishes.kept)
        open_material(chosen, wishes, checks);
    if (auto failure = older_than_before(chosen, state_, wishes))
        return failure;
    auto failure = install_opened(chosen, wishes, checks, report);
    if (failure && failure->fix.empty() && failure->exit == InstallerExit::installation_failed)
        failure->fix = "The host is still prepared, and not protected. Remove the cause that is named, or name the "
                       "bundle for this release with --bundle FILE, then run picket-installer os-upgrade finish again.";
    return failure;
}

} // namespace picket::install
