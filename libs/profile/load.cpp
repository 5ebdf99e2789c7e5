#include <picket/profile/effective.h>

#include <fmt/format.h>
#include <picket/model/paths.h>

#include "files.h"

namespace picket::profile {
namespace {

/// The managed set that counts: the one on disk, or the last good one where that is bad.
std::vector<LayerDocument> managed_in_force(const sys::Root& root, LoadMode mode, EffectiveProfile& profile) {
    ManagedSet set = read_managed(root);
    const std::string last_good = root.label() + paths::kLastGoodProfile;
    if (set.problems.empty()) {
        profile.status = set.documents.empty() ? ProfileStatus::defaults : ProfileStatus::in_force;
        if (mode == LoadMode::remember)
            if (const auto written = remember_last_good(root, set.documents); !written)
                profile.problems.push_back({last_good, {}, "", written.error().message(), ""});
        return std::move(set.documents);
    }
    profile.problems = std::move(set.problems);
    auto remembered = read_last_good(root);
    if (remembered) {
        profile.status = ProfileStatus::last_good;
        return std::move(*remembered);
    }
    if (remembered.error().code() != ErrorCode::not_found)
        profile.problems.push_back({last_good, {}, "", remembered.error().message(), ""});
    profile.status = ProfileStatus::defaults;
    return {};
}

} // namespace

EffectiveProfile load(const sys::Root& root, LoadMode mode, WallTime now) {
    EffectiveProfile profile;
    std::vector<LayerDocument> managed = managed_in_force(root, mode, profile);
    LocalSettings local = read_local(root);
    profile.problems.insert(profile.problems.end(), local.problems.begin(), local.problems.end());
    std::vector<LayerDocument> layers;
    if (local.present && local.problems.empty()) {
        layers.push_back({Layer::local, root.label() + paths::kLocalSettings, std::move(local.document)});
        if (profile.status == ProfileStatus::defaults && profile.problems.empty())
            profile.status = ProfileStatus::in_force;
    }
    for (LayerDocument& document : managed)
        layers.push_back(std::move(document));
    for (const LayerDocument& layer : layers)
        profile.files.push_back(layer.file);
    Merged merged = merge(layers);
    profile.document = std::move(merged.document);
    profile.sources = std::move(merged.sources);
    profile.at = now;
    profile.policy = compile(profile.document, now);
    return profile;
}

} // namespace picket::profile
