#include <picket/connectivity/report.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/certificate.h>
#include <picket/ipc/probe_json.h>

namespace picket::connectivity {
namespace {

using data::Json;

constexpr std::size_t kMostEndpoints = 16;
constexpr std::chrono::seconds kAutoConfigurationWithin{3};
constexpr const char* kAutoConfiguration = "http://wpad/wpad.dat";

/// What a host asks of that server first.
std::string url_of(const std::string& name, const std::string& url) {
    return name == "definitions" ? url + "/keys.json" : url;
}

bool may_need_proxy(ConnectionFault fault) {
    return fault == ConnectionFault::dns_failed || fault == ConnectionFault::tcp_failed ||
           fault == ConnectionFault::http_failed || fault == ConnectionFault::http_content;
}

Notice notice_of(const ProxyHint& hint) {
    const std::string names = fmt::format("{} names the proxy {}", hint.source, hint.value);
    switch (hint.kind) {
    case ProxyHint::Kind::usable:
        break;
    case ProxyHint::Kind::auto_configuration:
        return {"proxy_auto_configuration",
                fmt::format("{} names proxy auto-configuration (PAC, WPAD), {}: Picket runs no scripts from a network",
                            hint.source, hint.value),
                "ask whoever runs the network for the proxy itself, and make the next onboarding package with "
                "--proxy http://HOST:PORT"};
    case ProxyHint::Kind::authenticated:
        return {"proxy_authentication",
                names + " with a user and a password, which Picket does not use: every host would know them",
                "let the proxy admit these hosts by address, and make the next onboarding package with --proxy "
                "http://HOST:PORT"};
    case ProxyHint::Kind::unsupported:
        return {"proxy_unsupported", names + ", which is no plain HTTP proxy",
                "make the next onboarding package with --proxy http://HOST:PORT of one that is"};
    }
    return {"environment_proxy", names + "; the organisation's onboarding package names none, and that is what counts",
            fmt::format("if hosts are to go through it: picket-onboarding create --proxy {}", hint.value)};
}

Result<std::optional<Notice>> look_for_auto_configuration(const Prober& probe) {
    const ProbeResult result = PICKET_TRY(probe({.url = kAutoConfiguration, .time_limit = kAutoConfigurationWithin}));
    const bool found =
        result.fault == ConnectionFault::none && !result.hops.empty() && result.hops.back().detail.starts_with("200");
    if (!found)
        return std::optional<Notice>();
    return std::optional(notice_of({"this network", kAutoConfiguration, ProxyHint::Kind::auto_configuration}));
}

/// Only what can be the reason: where the organisation names a proxy, others explain nothing.
Result<std::vector<Notice>> find_notices(const Examination& examination, const Report& report) {
    std::vector<Notice> notices;
    const bool lost = std::any_of(report.endpoints.begin(), report.endpoints.end(), [](const EndpointReport& e) {
        return !e.result.through_proxy && may_need_proxy(e.result.fault);
    });
    if (!lost || !report.settings.proxy.empty())
        return notices;
    for (const ProxyHint& hint : examination.hints)
        notices.push_back(notice_of(hint));
    const bool told = std::any_of(notices.begin(), notices.end(),
                                  [](const Notice& notice) { return notice.name == "proxy_auto_configuration"; });
    if (!told)
        if (auto notice = PICKET_TRY(look_for_auto_configuration(examination.probe)))
            notices.push_back(std::move(*notice));
    return notices;
}

} // namespace

bool Report::all_work() const {
    return std::all_of(endpoints.begin(), endpoints.end(), [](const EndpointReport& e) { return e.works(); });
}

Result<Report> examine(const Examination& examination) {
    Report report{.settings = examination.settings};
    report.authorities = crypto::subjects_of_certificates(report.settings.ca_certificates);
    for (const auto& [name, url] : report.settings.endpoints) {
        if (report.endpoints.size() == kMostEndpoints)
            break;
        EndpointReport endpoint{name, url_of(name, url), {}};
        endpoint.result = PICKET_TRY(examination.probe({.url = endpoint.url,
                                                        .proxy = report.settings.proxy,
                                                        .no_proxy = report.settings.no_proxy,
                                                        .ca_certificates = report.settings.ca_certificates,
                                                        .expects_json = name == "definitions",
                                                        .time_limit = examination.time_limit}));
        if (endpoint.result.fault == ConnectionFault::tls_interception && !report.authorities.empty())
            endpoint.result.message +=
                fmt::format(" (expected: {})", escape_for_display(join(report.authorities, " or ")));
        report.endpoints.push_back(std::move(endpoint));
    }
    report.notices = PICKET_TRY(find_notices(examination, report));
    return report;
}

std::string fix_for(ConnectionFault fault) {
    switch (fault) {
    case ConnectionFault::none:
        return "";
    case ConnectionFault::dns_failed:
        return "see /etc/resolv.conf and whether its name servers know that name; where hosts look up no outside "
               "names, the onboarding package needs a proxy (--proxy)";
    case ConnectionFault::tcp_failed:
        return "open the way to that address and port in the firewalls between, or name the proxy in the onboarding "
               "package (--proxy)";
    case ConnectionFault::proxy_unreachable:
        return "see whether the proxy of the onboarding package is the right one and runs; hosts that need none: "
               "--no-proxy";
    case ConnectionFault::proxy_authentication:
        return "let the proxy admit these hosts by address: a password that every host knows is not supported";
    case ConnectionFault::proxy_refused:
        return "let the proxy connect these hosts to that server and port, or name the server with --no-proxy";
    case ConnectionFault::tls_interception:
        return "except that server from TLS inspection. If nobody inspects, its certificate is not the organisation's: "
               "the chain must lead to a CA of the onboarding package (--ca)";
    case ConnectionFault::tls_untrusted:
        return "except that server from TLS inspection, or, if it has a CA of its own, give that to the onboarding "
               "package (--ca)";
    case ConnectionFault::tls_wrong_name:
        return "give the server a certificate for the name in the URL, or the URL the name in the certificate";
    case ConnectionFault::tls_expired:
        return "renew the server's certificate; is this host's clock right (date -u)?";
    case ConnectionFault::tls_failed:
        return "see whether that port speaks TLS 1.2 or later, and whether a firewall ends such connections";
    case ConnectionFault::http_failed:
        return "see the server's log; a firewall may let connections come about and drop what they carry";
    case ConnectionFault::http_status:
        return "see the server's log; the URL of the mirror is the directory that \"definitions publish\" made";
    case ConnectionFault::http_content:
        return "let this host through the login page of its network, or correct the URL of the onboarding package";
    }
    return "";
}

Json to_json(const Report& report) {
    Json endpoints = Json::array();
    for (const EndpointReport& endpoint : report.endpoints) {
        Json json = ipc::to_json(endpoint.result);
        json.erase("fault");
        json.erase("through_proxy");
        json["endpoint"] = endpoint.name;
        json["url"] = endpoint.url;
        json["way"] = endpoint.result.through_proxy ? "proxy" : "direct";
        json["status"] = endpoint.works() ? "passed" : "failed";
        json["reason"] = endpoint.works() ? "" : to_string(endpoint.result.fault);
        json["fix"] = fix_for(endpoint.result.fault);
        endpoints.push_back(std::move(json));
    }
    Json notices = Json::array();
    for (const Notice& notice : report.notices)
        notices.push_back({{"name", notice.name}, {"message", notice.message}, {"fix", notice.fix}});
    return {{"all_reachable", report.all_work()},   {"proxy", report.settings.proxy},
            {"no_proxy", report.settings.no_proxy}, {"authorities", report.authorities},
            {"endpoints", std::move(endpoints)},    {"notices", std::move(notices)}};
}

} // namespace picket::connectivity
