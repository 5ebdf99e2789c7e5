#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include <picket/profile/effective.h>

namespace picket::profile {

/// An exclusion that some layer has, in force or expired.
struct ListedExclusion {
    std::string type; ///< file, folder, extension, name, process
    std::string value;
    std::string reason;
    std::string owner;
    std::optional<WallTime> expires; ///< the first moment at which it does not count
    bool expired = false;            ///< at EffectiveProfile::at: it is not in force
    Source source;
};
/// `the exclusion of folder /srv/x (owner storage; reason: backup)`, safe to show.
std::string describe(const ListedExclusion& exclusion);
std::vector<ListedExclusion> list_exclusions(const EffectiveProfile& profile);

/// Those that were in force in `before` and have expired in `after`.
std::vector<ListedExclusion> find_expired(const EffectiveProfile& before, const EffectiveProfile& after);

/// Who may change what lies at a path.
struct PathFacts {
    uid_t owner = 0;
    bool others_write = false; ///< group or others have a write bit
};
/// Nothing where there is no such path. A seam: the daemon looks at the disk, tests do not.
using PathLookup = std::function<std::optional<PathFacts>(const std::string& path)>;

/// Why this exclusion would let malware in, one sentence each, the worst first; empty where nothing speaks against it.
/// What a profile may not hold at all ("/", "/tmp") is among it.
std::vector<std::string> exclusion_dangers(std::string_view type, std::string_view value, const PathLookup& lookup);

} // namespace picket::profile
