#pragma once
#include <functional>
#include <string>
#include <vector>

#include <picket/connectivity/proxy_hints.h>
#include <picket/data/json.h>
#include <picket/model/connection.h>
#include <picket/trust/network_settings.h>

/// Every server that a host needs, each hop of the way named, and what to do about what does not work. Knows no
/// network: whoever can goes the ways.
namespace picket::connectivity {

struct EndpointReport {
    std::string name; ///< as the onboarding package calls it: definitions, console
    std::string url;  ///< that was asked for
    ProbeResult result;

    bool works() const { return result.fault == ConnectionFault::none; }
};

/// Something about this host that explains what does not work; only told where something does not.
struct Notice {
    std::string name; ///< environment_proxy, proxy_authentication, proxy_auto_configuration, proxy_unsupported
    std::string message;
    std::string fix;
};

struct Report {
    trust::NetworkSettings settings;
    std::vector<std::string> authorities; ///< subjects of the organisation's CA certificates
    std::vector<EndpointReport> endpoints;
    std::vector<Notice> notices;

    bool all_work() const;
};

/// Goes one way, in a process that has nothing to lose.
using Prober = std::function<Result<ProbeResult>(const ProbeRequest&)>;

struct Examination {
    const trust::NetworkSettings& settings;
    const std::vector<ProxyHint>& hints;
    const Prober& probe;
    std::chrono::seconds time_limit{10}; ///< for one endpoint
};
/// Errors are the prober's: then nothing is known.
Result<Report> examine(const Examination& examination);

/// What to do about a fault; "" for none.
std::string fix_for(ConnectionFault fault);
data::Json to_json(const Report& report);

} // namespace picket::connectivity
