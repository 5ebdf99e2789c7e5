#pragma once
#include <functional>
#include <string>
#include <vector>

#include <picket/sys/file.h>

namespace picket::connectivity {

/// A proxy that this host names somewhere. Picket uses none of them by itself: the organisation's setting counts, and
/// these only explain why a way does not work.
struct ProxyHint {
    enum class Kind {
        usable,             ///< what `picket-onboarding create --proxy` takes
        auto_configuration, ///< PAC or WPAD
        authenticated,      ///< with a user and a password
        unsupported,        ///< https://, socks …
    };
    std::string source; ///< "the environment (https_proxy)", "/etc/environment"
    std::string value;  ///< escaped; user and password are left out
    Kind kind = Kind::usable;
};

/// Nothing of the environment.
inline std::string no_variable(const char*) {
    return "";
}

/// Environment variables, then /etc/environment and /etc/sysconfig/proxy; each value once. `variable` gives "" for what
/// is not set.
std::vector<ProxyHint> find_proxy_hints(const std::function<std::string(const char*)>& variable, const sys::Root& root);

} // namespace picket::connectivity
