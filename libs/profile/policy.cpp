#include <picket/profile/policy.h>

#include <algorithm>

namespace picket::profile {

std::string_view to_string(EnforcementLevel level) {
    switch (level) {
    case EnforcementLevel::real_time:
        return "real_time";
    case EnforcementLevel::audit:
        return "audit";
    case EnforcementLevel::on_demand:
        return "on_demand";
    case EnforcementLevel::passive:
        return "passive";
    }
    return "real_time";
}

bool Policy::is_allowed_threat(std::string_view name) const {
    return std::any_of(allowed_threats.begin(), allowed_threats.end(),
                       [&](const std::string& allowed) { return allowed == name; });
}

bool Policy::is_unmonitored(std::string_view type) const {
    return std::any_of(unmonitored_filesystems.begin(), unmonitored_filesystems.end(), [&](const std::string& listed) {
        return type == listed || (listed == "fuse" && type.starts_with("fuse."));
    });
}

} // namespace picket::profile
