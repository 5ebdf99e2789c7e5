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
    std::optional<KeptPackage> back;
};

void add_replacement(Plan& plan, const HostState& state, const Replacement& wanted) {
    add(plan, wanted.step,
        wanted.back ? wanted.title
                    : fmt::format("{} (no way back: the package of {} is not on this host)", wanted.title,
                                  state.package.version),
        {{"package", files::kPackageName},
         {"version", wanted.to.version},
         {"from", state.package.version},
         {"manager", state.package_system},
         {"to", json_of(wanted.to)},
         {"way_back", wanted.back ? json_of(*wanted.back) : Json()},
         {"log", log_path(wanted.to.version)}});
}

/// Until it is proved nothing is final: a run that is killed before goes back.
void add_proof(Plan& plan, const HostState& state, const Replacement& done, bool image) {
    if (image)
        return;
    if (!state.all_enabled())
        add(plan, "services.enable", "start at boot", {{"units", {units().front()}}});
    if (!state.all_active())
        add(plan, "services.start", "start the services", {{"units", units()}});
    const bool goes_back = done.back.has_value();
    add(plan, "health.wait", "wait until it protects",
        {{"timeout_ms", kHealthTimeoutMs}, {"version", done.to.version}, {"goes_back", goes_back}}, false);
    add(plan, "selftest.run", "prove it with a harmless test file", {{"fresh", false}, {"goes_back", goes_back}},
        false);
}

void add_end(Plan& plan, const HostState& state, const std::string& version, Json receipt) {
    plan.journal.verify_from = plan.journal.steps.size();
    add(plan, "receipt.write", "write the receipt", std::move(receipt));
    add(plan, "packages.prune", "keep the packages of these two versions", {{"keep", {version, state.package.version}}},
        false);
}

/// These two give where the new package is kept.
KeptPackage add_bundle(Plan& plan, const Wishes& wishes) {
    const BundleMaterial& bundle = *wishes.bundle;
    add_stage(plan, bundle);
    add_keep(plan, staged_directory(bundle.version), bundle);
    return kept_package(bundle.version, bundle.package_sha256, bundle.package_file);
}

/// The fetched ones: what goes in, and where the host had none, what it may have to go back to.
KeptPackage add_fetched(Plan& plan, const HostState& state, const Wishes& wishes) {
    add_repository(plan, state, wishes);
    for (const KeptPackage& fetched : wishes.fetched)
        add_keep(plan, fetched.path, kept_package(fetched.version, fetched.sha256, fetched.path));
    const KeptPackage& wanted = wishes.fetched.front();
    return kept_package(wanted.version, wanted.sha256, wanted.path);
}

} // namespace

const std::string& offered_version(const Wishes& wishes) {
    return wishes.bundle ? wishes.bundle->version : wishes.repository->version;
}

std::optional<KeptPackage> way_back_of(const HostState& state, const Wishes& wishes) {
    if (const KeptPackage* const kept = state.kept_of(state.package.version))
        return *kept;
    for (const KeptPackage& fetched : wishes.fetched)
        if (fetched.version == state.package.version)
            return kept_package(fetched.version, fetched.sha256, fetched.path);
    return std::nullopt;
}

Plan plan_upgrade(const HostState& state, const Wishes& wishes) {
    Plan plan;
    plan.journal.verb = "upgrade";
    const std::string& version = offered_version(wishes);
    if (state.package.version == version)
        return plan;
    const KeptPackage to = wishes.bundle ? add_bundle(plan, wishes) : add_fetched(plan, state, wishes);
    add(plan, "package_manager.wait", "wait for the package manager", {{"timeout_ms", wishes.lock_timeout.count()}},
        false);
    const Replacement replacement{"package.upgrade",
                                  fmt::format("{} {} {} -> {}",
                                              is_older(version, state.package.version) ? "downgrade" : "upgrade",
                                              files::kPackageName, state.package.version, version),
                                  to, way_back_of(state, wishes)};
    add_replacement(plan, state, replacement);
    add_proof(plan, state, replacement, wishes.image);
    add_end(plan, state, version,
            {{"accepted_checks", wishes.accepted},
             {"bundle", wishes.bundle ? to_json(*wishes.bundle) : Json()},
             {"repository", wishes.repository ? to_json(*wishes.repository) : Json()},
             {"previous", state.package.version}});
    add(plan, "staging.clear", "clear the staged files", {{"directory", staged_directory(version)}}, false);
    return plan;
}

Plan plan_rollback(const HostState& state, const KeptPackage& to, const Wishes& wishes) {
    Plan plan;
    plan.journal.verb = "rollback";
    add(plan, "package_manager.wait", "wait for the package manager", {{"timeout_ms", wishes.lock_timeout.count()}},
        false);
    const Replacement replacement{
        "package.rollback",
        fmt::format("roll back {} {} -> {}", files::kPackageName, state.package.version, to.version), to,
        way_back_of(state, wishes)};
    add_replacement(plan, state, replacement);
    add_proof(plan, state, replacement, wishes.image);
    add_end(plan, state, to.version,
            {{"accepted_checks", Json::array()}, {"bundle", Json()}, {"repository", Json()}, {"previous", ""}});
    return plan;
}

void add_keep(Plan& plan, const std::string& from, const KeptPackage& package) {
    add(plan, "package.keep", fmt::format("keep the package of {} on this host", package.version),
        {{"from", from}, {"package", json_of(package)}}, true);
}

void add_keep(Plan& plan, const std::string& staged, const BundleMaterial& bundle) {
    add_keep(plan, fmt::format("{}/{}", staged, bundle.package_file),
             kept_package(bundle.version, bundle.package_sha256, bundle.package_file));
}

} // namespace picket::install
