#pragma once
#include <map>
#include <string>
#include <vector>

#include <picket/data/json.h>
#include <picket/profile/policy.h>
#include <picket/profile/schema.h>
#include <picket/profile/validate.h>
#include <picket/sys/file.h>

namespace picket::profile {

struct Source {
    Layer layer = Layer::defaults;
    std::string file; ///< "" for the defaults
};

/// A valid document of one file.
struct LayerDocument {
    Layer layer = Layer::managed;
    std::string file;
    data::Json document;
};

struct Merged {
    data::Json document; ///< every key of the schema has a value
    /// By pointer: each key, and each element of a list that merges ("/antivirusEngine/exclusions/0").
    std::map<std::string, Source> sources;
};
/// Pure. `layers` lowest first (local, then managed in name order) above the built-in defaults. Scalars: the highest
/// wins. Lists: as the schema says; equal elements are one, and the highest layer that has it is its source.
Merged merge(const std::vector<LayerDocument>& layers);

/// Pure. `document` must come from merge(). An exclusion that has expired at `now` does not count, also not in the
/// generation; without `now` none has.
PolicySnapshot compile(const data::Json& document, WallTime now = {});
/// The generation as health, profile.show and events write it: 16 hex digits.
std::string generation_text(std::uint64_t generation);

enum class ProfileStatus {
    in_force,  ///< every managed file counts
    last_good, ///< the managed set is bad; the one before stays in force
    defaults,  ///< there is no profile, or (`problems` says so) the set is bad and none before it is known
};
std::string_view to_string(ProfileStatus status);

struct EffectiveProfile {
    data::Json document;
    std::map<std::string, Source> sources;
    std::vector<Problem> problems; ///< empty = every file is good
    PolicySnapshot policy;         ///< never null
    ProfileStatus status = ProfileStatus::defaults;
    std::vector<std::string> files; ///< that count, lowest first
    WallTime at{};                  ///< the time that `policy` was made for
};

enum class LoadMode {
    remember,  ///< a good managed set becomes last-good.json: the daemon
    read_only, ///< writes nothing
};

inline constexpr std::size_t kMaximumFiles = 1'000;
inline constexpr std::uint64_t kMaximumSetBytes = 8 << 20;
inline constexpr std::size_t kMaximumElements = 10'000; ///< of all lists of all managed files

/// Reads managed.d, settings.json and last-good.json below `root`. Always gives a profile that protects: a bad
/// managed file leaves the last good managed set in force (local settings go on counting), without one the defaults;
/// a bad settings.json does not count. Managed files must be regular, owned by root (or by who runs this) and writable
/// by nobody else, as must their folder. Names that begin with a dot or do not end in .json are no profiles.
EffectiveProfile load(const sys::Root& root, LoadMode mode = LoadMode::remember, WallTime now = SystemClock().wall());

} // namespace picket::profile
