#include <fmt/format.h>
#include <picket/install/files.h>
#include <picket/install/version_order.h>
#include <picket/model/paths.h>

#include "plan_parts.h"

namespace picket::install {
namespace {

using data::Json;

/// The version that is put back must be at work again within a minute: this, and its package, and its start.
constexpr int kHealthTimeoutMs = 35'000;

Json json_of(const KeptPackage& package) {
    return {{"version", package.version}, {"sha256", package.sha256}, {"path", package.path}};
}

std::string log_path(const std::string& version) {
    return fmt::format("/var/log/picket/upgrade-{}.log", version);
}

struct Replacement {
    const char* step;
    std::string title;
    KeptPackage to;
};

void add_replacement(Plan& plan, const HostState& state, const Replacement& wanted) {
    const KeptPackage* const back = state.kept_of(state.package.version);
    add(plan, wanted.step,
        back != nullptr ? wanted.title
                        : fmt::format("{} (no way back: the package of {} is not on this host)", wanted.title,
                                      state.package.version),
        {{"package", files::kPackageName},
         {"version", wanted.to.version},
         {"from", state.package.version},
         {"manager", state.package_system},
         {"to", json_of(wanted.to)},
         {"way_back", back != nullptr ? json_of(*back) : Json()},
         {"log", log_path(wanted.to.version)}});
}

/// Until it is proved nothing is final: a run that is killed before goes back.
void add_proof(Plan& plan, const HostState& state, const std::string& version, bool image) {
    if (!image && !state.all_enabled())
        add(plan, "services.enable", "start at boot", {{"units", {units().front()}}});
    if (!image && !state.all_active())
        add(plan, "services.start", "start the services", {{"units", units()}});
    const bool goes_back = state.kept_of(state.package.version) != nullptr;
    if (image)
        return;
    add(plan, "health.wait", "wait until it protects",
        {{"timeout_ms", kHealthTimeoutMs}, {"version", version}, {"goes_back", goes_back}}, false);
    add(plan, "selftest.run", "prove it with a harmless test file", {{"fresh", false}, {"goes_back", goes_back}},
        false);
}

void add_end(Plan& plan, const HostState& state, const std::string& version, Json receipt) {
    plan.journal.verify_from = plan.journal.steps.size();
    add(plan, "receipt.write", "write the receipt", std::move(receipt));
    add(plan, "packages.prune", "keep the packages of these two versions", {{"keep", {version, state.package.version}}},
        false);
}

} // namespace

Plan plan_upgrade(const HostState& state, const Wishes& wishes) {
    Plan plan;
    plan.journal.verb = "upgrade";
    const BundleMaterial& bundle = *wishes.bundle;
    if (state.package.version == bundle.version)
        return plan;
    const std::string staged = fmt::format("{}/{}", files::kStaged, bundle.version);
    const KeptPackage to = kept_package(bundle.version, bundle.package_sha256, bundle.package_file);
    add(plan, "bundle.stage", fmt::format("stage the bundle {}", bundle.version),
        {{"version", bundle.version}, {"sha256", bundle.sha256}, {"directory", staged}}, false);
    add(plan, "package_manager.wait", "wait for the package manager", {{"timeout_ms", wishes.lock_timeout.count()}},
        false);
    add_keep(plan, staged, bundle);
    add_replacement(
        plan, state,
        {"package.upgrade",
         fmt::format("{} {} {} -> {}", is_older(bundle.version, state.package.version) ? "downgrade" : "upgrade",
                     files::kPackageName, state.package.version, bundle.version),
         to});
    add_proof(plan, state, bundle.version, wishes.image);
    add_end(plan, state, bundle.version,
            {{"accepted_checks", wishes.accepted},
             {"bundle", {{"path", bundle.path}, {"sha256", bundle.sha256}, {"version", bundle.version}}},
             {"repository", Json()},
             {"previous", state.package.version}});
    add(plan, "staging.clear", "clear the staged files", {{"directory", staged}}, false);
    return plan;
}

Plan plan_rollback(const HostState& state, const KeptPackage& to, const Wishes& wishes) {
    Plan plan;
    plan.journal.verb = "rollback";
    add(plan, "package_manager.wait", "wait for the package manager", {{"timeout_ms", wishes.lock_timeout.count()}},
        false);
    add_replacement(plan, state,
                    {"package.rollback",
                     fmt::format("roll back {} {} -> {}", files::kPackageName, state.package.version, to.version), to});
    add_proof(plan, state, to.version, wishes.image);
    add_end(plan, state, to.version,
            {{"accepted_checks", Json::array()}, {"bundle", Json()}, {"repository", Json()}, {"previous", ""}});
    return plan;
}

void add_keep(Plan& plan, const std::string& staged, const BundleMaterial& bundle) {
    add(plan, "package.keep", fmt::format("keep the package of {} on this host", bundle.version),
        {{"from", fmt::format("{}/{}", staged, bundle.package_file)},
         {"package", json_of(kept_package(bundle.version, bundle.package_sha256, bundle.package_file))}},
        true);
}

} // namespace picket::install
