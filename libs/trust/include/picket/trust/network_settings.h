#pragma once
#include <string>
#include <vector>

#include <picket/trust/onboarding.h>

namespace picket::trust {

/// What an organisation says about the network of its hosts. The one place where installer, definitions, connectivity
/// test (and later the console's client) take it from.
struct NetworkSettings {
    Endpoints endpoints;
    std::string proxy;                 ///< http://HOST:PORT; "" = none
    std::vector<std::string> no_proxy; ///< hosts that are reached without it
    std::string ca_certificates;       ///< PEM, one after the other; "" = those of the host
};
/// From an onboarding.json. invalid_input where a URL, the proxy or its exceptions may not be used.
Result<NetworkSettings> network_settings_of(const data::Json& document);

} // namespace picket::trust
