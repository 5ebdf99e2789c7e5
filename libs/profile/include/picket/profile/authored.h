#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/profile/validate.h>

namespace picket::profile {

/// A profile that is shipped with this build: profiles/NAME.yaml.
struct ShippedProfile {
    std::string_view name;
    std::string_view text;
};
const std::vector<ShippedProfile>& shipped_profiles();

inline constexpr std::size_t kMaximumExtends = 8; ///< profiles below one another

/// A file as people write it, made into what a host reads.
struct Rendering {
    data::Json document; ///< canonical: equal profiles are equal text; usable only where ok()
    std::vector<Problem> problems;
    std::vector<std::string> files; ///< that it is made of, lowest first; a shipped one as "baseline-server"
    bool ok() const { return problems.empty(); }
};

/// `path` says format and label of `text`, and where the files lie that it extends: `extends: NAME` is a shipped
/// profile, `extends: ./FILE.yaml` a file in or below the folder of the file that says so. Each is a layer below,
/// merged as layers are (validate.h, effective.h): what stands above wins, lists that merge add up. At most
/// kMaximumExtends; a cycle, a link, or a way out of the folder is a problem, like everything that is wrong in any of
/// the files.
Rendering render(std::string_view text, const std::string& path);

} // namespace picket::profile
