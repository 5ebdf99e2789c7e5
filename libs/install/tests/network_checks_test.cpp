#include <doctest/doctest.h>

#include "network_checks.h"

using namespace picket;
using namespace picket::install;
using connectivity::Report;
using host::CheckStatus;

namespace {

Report report_with(ConnectionFault fault, const char* message = "what is wrong") {
    Report report;
    report.endpoints.push_back({"definitions", "https://mirror/keys.json", {.fault = fault, .message = message}});
    return report;
}

std::string outline(const std::vector<host::CheckResult>& results) {
    std::string text;
    for (const host::CheckResult& result : results)
        text += std::string(to_string(result.status)) + " ";
    return text;
}

} // namespace

TEST_CASE("only a stranger's certificate is a failure; what is not reached is a warning, with what to do") {
    for (const ConnectionFault fault :
         {ConnectionFault::dns_failed, ConnectionFault::tcp_failed, ConnectionFault::tls_expired,
          ConnectionFault::tls_wrong_name, ConnectionFault::http_status, ConnectionFault::http_content})
        CHECK(outline(network_checks(report_with(fault))) == "warn pass skip ");
    for (const ConnectionFault fault :
         {ConnectionFault::proxy_unreachable, ConnectionFault::proxy_authentication, ConnectionFault::proxy_refused})
        CHECK(outline(network_checks(report_with(fault))) == "warn warn skip ");
    CHECK(outline(network_checks(report_with(ConnectionFault::tls_untrusted))) == "warn pass warn ");
    CHECK(outline(network_checks(report_with(ConnectionFault::tls_interception))) == "warn pass fail ");
    for (const host::CheckResult& result : network_checks(report_with(ConnectionFault::proxy_authentication)))
        if (result.status == CheckStatus::warn) {
            CHECK(result.observed.find("what is wrong") != std::string::npos);
            CHECK_FALSE(result.fix.empty());
            CHECK_FALSE(result.required.empty());
        }
}

TEST_CASE("what works says through what; who names no server is not asked") {
    Report report = report_with(ConnectionFault::none, "");
    report.endpoints[0].result.issuer = "CN = Acme CA";
    CHECK(outline(network_checks(report)) == "pass pass pass ");
    CHECK(network_checks(report)[2].observed.find("Acme CA") != std::string::npos);
    report.endpoints[0].result.intermediary = "1.1 cache (squid)";
    CHECK(network_checks(report)[1].observed.find("transparent proxy: 1.1 cache") != std::string::npos);
    report.notices.push_back({"environment_proxy", "names a proxy", "do"});
    CHECK(network_checks(report)[1].status == CheckStatus::warn);
    CHECK(outline(network_checks({})) == "skip skip skip ");
}
