#include "network_checks.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/ipc/probe_json.h>
#include <picket/net/probe.h>
#include <picket/sandbox/network_only.h>

namespace picket::install {
namespace {

using connectivity::EndpointReport;
using connectivity::Report;
using host::CheckResult;
using host::CheckStatus;

constexpr std::chrono::seconds kWithin{5};
constexpr Milliseconds kGrace{10'000}; ///< for the start and end of the child
constexpr const char* kEndpoints = "network.endpoints";
constexpr const char* kProxy = "network.proxy";
constexpr const char* kInterception = "network.tls_interception";

bool is_of_proxy(ConnectionFault fault) {
    return fault == ConnectionFault::proxy_unreachable || fault == ConnectionFault::proxy_authentication ||
           fault == ConnectionFault::proxy_refused;
}

const EndpointReport* find(const Report& report, bool (*wanted)(const EndpointReport&)) {
    const auto found = std::find_if(report.endpoints.begin(), report.endpoints.end(), wanted);
    return found == report.endpoints.end() ? nullptr : &*found;
}

CheckResult not_good(const char* id, CheckStatus status, std::string observed, std::string required, std::string fix) {
    return {.id = id,
            .status = status,
            .observed = std::move(observed),
            .required = std::move(required),
            .fix = std::move(fix)};
}

std::string describe(const EndpointReport& endpoint) {
    return fmt::format("{}: {}", endpoint.name,
                       endpoint.works() ? fmt::format("{} {}, {} ms", endpoint.url,
                                                      endpoint.result.through_proxy ? "through the proxy" : "directly",
                                                      endpoint.result.took.count())
                                        : endpoint.result.message);
}

CheckResult check_endpoints(const Report& report) {
    std::vector<std::string> lines;
    for (const EndpointReport& endpoint : report.endpoints)
        lines.push_back(describe(endpoint));
    const EndpointReport* lost = find(report, [](const EndpointReport& e) { return !e.works(); });
    if (lost == nullptr)
        return {.id = kEndpoints, .observed = join(lines, "; ")};
    return not_good(kEndpoints, CheckStatus::warn, join(lines, "; "),
                    "every server of the onboarding package is reached",
                    connectivity::fix_for(lost->result.fault) +
                        "; until then the host is protected with the definitions of the bundle");
}

CheckResult check_proxy(const Report& report) {
    const EndpointReport* refused = find(report, [](const EndpointReport& e) { return is_of_proxy(e.result.fault); });
    if (refused != nullptr)
        return not_good(kProxy, CheckStatus::warn, refused->result.message,
                        "a plain HTTP proxy that lets this host through without a password, or none",
                        connectivity::fix_for(refused->result.fault));
    if (!report.notices.empty())
        return not_good(kProxy, CheckStatus::warn, report.notices.front().message,
                        "the proxy that hosts need is in the onboarding package", report.notices.front().fix);
    const EndpointReport* passed_on =
        find(report, [](const EndpointReport& e) { return !e.result.intermediary.empty(); });
    if (passed_on != nullptr)
        return {.id = kProxy, .observed = "a transparent proxy: " + passed_on->result.intermediary};
    return {.id = kProxy, .observed = report.settings.proxy.empty() ? "none" : report.settings.proxy};
}

CheckResult check_interception(const Report& report) {
    for (const EndpointReport& endpoint : report.endpoints) {
        const ConnectionFault fault = endpoint.result.fault;
        const bool proved = fault == ConnectionFault::tls_interception;
        if (proved || fault == ConnectionFault::tls_untrusted)
            return not_good(kInterception, proved ? CheckStatus::fail : CheckStatus::warn, endpoint.result.message,
                            report.authorities.empty()
                                ? "an issuer that this host knows"
                                : "issued by " + escape_for_display(join(report.authorities, " or ")),
                            connectivity::fix_for(fault));
    }
    const EndpointReport* secure = find(report, [](const EndpointReport& e) { return !e.result.issuer.empty(); });
    if (secure != nullptr)
        return {.id = kInterception, .observed = fmt::format("none: issued by {}", secure->result.issuer)};
    return {.id = kInterception, .status = CheckStatus::skip, .observed = "no server was reached by https"};
}

std::vector<CheckResult> skipped(const std::string& why) {
    std::vector<CheckResult> results;
    for (const char* id : {kEndpoints, kProxy, kInterception})
        results.push_back({.id = id, .status = CheckStatus::skip, .observed = why});
    return results;
}

Result<ProbeResult> probe_in_child(const ProbeRequest& request) {
    sandbox::ConfinedLimits limits{.wall_clock =
                                       std::chrono::duration_cast<Milliseconds>(2 * request.time_limit) + kGrace,
                                   .cpu_seconds = 10,
                                   .memory = gibibytes(1)};
    std::string answer;
    PICKET_TRY(sandbox::run_networked(
        limits,
        [&request](sandbox::ConfinedOutput& output) {
            const ProbeResult result = net::probe(request, [] { return false; });
            return output.send(0, as_bytes(data::to_text(ipc::to_json(result))));
        },
        [&answer](std::uint32_t, ByteSpan payload) -> Result<void> {
            answer = as_text(payload);
            return {};
        }));
    return ipc::probe_result_from(PICKET_TRY(data::parse_json(answer)));
}

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr ? value : "";
}

} // namespace

std::vector<CheckResult> network_checks(const Report& report) {
    if (report.endpoints.empty())
        return skipped("the organisation names no server");
    return {check_endpoints(report), check_proxy(report), check_interception(report)};
}

std::vector<CheckResult> run_network_checks(const std::string& document, const sys::Root& root) {
    const auto json = data::parse_json(document);
    const auto settings = json ? trust::network_settings_of(*json) : Result<trust::NetworkSettings>(json.error());
    if (!settings)
        return skipped(settings.error().message());
    const auto hints = connectivity::find_proxy_hints(variable, root);
    const auto report =
        connectivity::examine({.settings = *settings, .hints = hints, .probe = probe_in_child, .time_limit = kWithin});
    return report ? network_checks(*report) : skipped("cannot be tested: " + report.error().message());
}

} // namespace picket::install
