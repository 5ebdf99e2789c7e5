#include <doctest/doctest.h>

#include "probe_judge.h"

using namespace picket;
using namespace picket::net;
using std::chrono::microseconds;
using Ending = Observation::Ending;

namespace {

ProbeRequest to(const char* url, const char* proxy = "") {
    return {.url = url, .proxy = proxy, .ca_certificates = "PEM", .expects_json = true};
}

/// One that went well.
Observation good() {
    Observation seen{.named = microseconds(1'000),
                     .connected = microseconds(3'000),
                     .secured = microseconds(10'000),
                     .answered = microseconds(20'000),
                     .ended = microseconds(21'000),
                     .peer = "192.0.2.1:443",
                     .beginning = "{\"keys\": []}",
                     .issuer = "CN = Acme CA"};
    seen.answer.status = 200;
    return seen;
}

Observation through_proxy() {
    Observation seen = good();
    seen.tunnelled = microseconds(5'000);
    seen.tunnel.status = 200;
    return seen;
}

std::string outline(const ProbeResult& result) {
    std::string text;
    for (const HopResult& hop : result.hops)
        text += hop.status == HopStatus::passed ? '+' : hop.status == HopStatus::failed ? '!' : '-';
    return text;
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

constexpr const char* kSecure = "https://mirror.example.org/keys.json";
constexpr const char* kPlain = "http://mirror.example.org/keys.json";
constexpr const char* kProxy = "http://proxy.example.org:3128";

} // namespace

TEST_CASE("a way that works: each hop with its target, its time and what was found") {
    const ProbeResult direct = judge(to(kSecure), good());
    CHECK(direct.fault == ConnectionFault::none);
    CHECK(direct.message.empty());
    CHECK(outline(direct) == "++-++");
    CHECK(direct.hops[0].target == "mirror.example.org");
    CHECK(direct.hops[1].target == "mirror.example.org:443");
    CHECK(direct.hops[1].detail == "192.0.2.1:443");
    CHECK(direct.hops[1].took.count() == 2);
    CHECK(direct.hops[3].took.count() == 7);
    CHECK(direct.hops[3].detail == "issued by CN = Acme CA");
    CHECK(direct.hops[4].detail == "200");
    const ProbeResult proxied = judge(to(kSecure, kProxy), through_proxy());
    CHECK(outline(proxied) == "+++++");
    CHECK(proxied.through_proxy);
    CHECK(proxied.hops[0].target == "proxy.example.org");
    CHECK(proxied.hops[2].target == "proxy.example.org:3128");
    CHECK(proxied.hops[2].took.count() == 2);
    CHECK(proxied.hops[3].target == "mirror.example.org:443");
    CHECK(outline(judge(to("https://192.0.2.1/keys.json"), good())) == "-+-++");
    ProbeRequest except = to(kSecure, kProxy);
    except.no_proxy = {"example.org"};
    CHECK_FALSE(judge(except, good()).through_proxy);
}

TEST_CASE("the first hop that fails is the one that is named, and those after it are not blamed") {
    struct Row {
        const char* url;
        const char* proxy;
        Ending ending;
        int reached; ///< 0 nothing, 1 name, 2 connection, 3 tunnel, 4 TLS
        ConnectionFault fault;
        const char* hops;
    };
    for (const Row& row : {
             Row{kSecure, "", Ending::no_name, 0, ConnectionFault::dns_failed, "!----"},
             Row{kSecure, "", Ending::timed_out, 0, ConnectionFault::dns_failed, "!----"},
             Row{kSecure, "", Ending::no_connection, 1, ConnectionFault::tcp_failed, "+!---"},
             Row{kSecure, "", Ending::timed_out, 1, ConnectionFault::tcp_failed, "+!---"},
             Row{kSecure, "", Ending::tls, 2, ConnectionFault::tls_failed, "++-!-"},
             Row{kSecure, "", Ending::timed_out, 2, ConnectionFault::tls_failed, "++-!-"},
             Row{kSecure, "", Ending::other, 4, ConnectionFault::http_failed, "++-+!"},
             Row{kPlain, "", Ending::timed_out, 2, ConnectionFault::http_failed, "++--!"},
             Row{kSecure, kProxy, Ending::no_name, 0, ConnectionFault::proxy_unreachable, "!----"},
             Row{kSecure, kProxy, Ending::no_connection, 1, ConnectionFault::proxy_unreachable, "+!---"},
             Row{kSecure, kProxy, Ending::other, 2, ConnectionFault::proxy_refused, "++!--"},
             Row{kSecure, kProxy, Ending::timed_out, 2, ConnectionFault::proxy_refused, "++!--"},
             Row{kSecure, kProxy, Ending::tls, 3, ConnectionFault::tls_failed, "+++!-"},
             Row{"https://192.0.2.1/", "", Ending::timed_out, 0, ConnectionFault::tcp_failed, "-!---"},
         }) {
        Observation seen{.ending = row.ending, .detail = "the reason", .ended = microseconds(30'000)};
        seen.named = microseconds(row.reached >= 1 ? 1'000 : 0);
        seen.connected = microseconds(row.reached >= 2 ? 2'000 : 0);
        seen.tunnelled = microseconds(row.reached >= 3 && *row.proxy != '\0' ? 3'000 : 0);
        seen.secured = microseconds(row.reached >= 4 ? 4'000 : 0);
        const ProbeResult result = judge(to(row.url, row.proxy), seen);
        CAPTURE(row.hops);
        CHECK(outline(result) == row.hops);
        CHECK(to_string(result.fault) == to_string(row.fault));
        CHECK_FALSE(result.message.empty());
    }
}

TEST_CASE("a certificate that is refused says why, and by whom it is issued") {
    Observation seen = good();
    seen.ending = Ending::tls;
    seen.secured = microseconds(0);
    seen.refused_certificate = true;
    seen.issuer = "CN = Corporate inspection";
    ProbeRequest request = to(kSecure);
    for (const long code : {18L, 19L, 20L, 21L}) {
        seen.verification = code;
        const ProbeResult pinned = judge(request, seen);
        CHECK(pinned.fault == ConnectionFault::tls_interception);
        CHECK(contains(pinned.message, "CN = Corporate inspection"));
        CHECK(pinned.issuer == "CN = Corporate inspection");
    }
    seen.verification = 10;
    seen.validity = "it is from 1999 to 2000";
    CHECK(judge(request, seen).fault == ConnectionFault::tls_expired);
    CHECK(contains(judge(request, seen).message, "1999"));
    for (const long code : {0L, 1L, 62L, 64L}) { // libcurl compares names itself, and says nothing of it here
        seen.verification = code;
        CHECK(judge(request, seen).fault == ConnectionFault::tls_wrong_name);
    }
    seen.verification = 8;
    CHECK(judge(request, seen).fault == ConnectionFault::tls_failed);
    request.ca_certificates.clear();
    seen.verification = 20;
    CHECK(judge(request, seen).fault == ConnectionFault::tls_untrusted);
}

TEST_CASE("what a proxy answers is the proxy's, and what a server answers the server's") {
    Observation seen = through_proxy();
    seen.ending = Ending::other;
    seen.tunnelled = microseconds(0);
    seen.tunnel.status = 407;
    seen.tunnel.line("Proxy-Authenticate: Negotiate");
    seen.tunnel.line("Proxy-Authenticate: Basic realm=\"x\"");
    const ProbeResult password = judge(to(kSecure, kProxy), seen);
    CHECK(password.fault == ConnectionFault::proxy_authentication);
    CHECK(contains(password.message, "Negotiate, Basic"));
    CHECK_FALSE(contains(password.message, "realm"));
    seen.tunnel = {.status = 403};
    CHECK(judge(to(kSecure, kProxy), seen).fault == ConnectionFault::proxy_refused);

    Observation plain = good();
    plain.secured = microseconds(0);
    plain.answer.status = 503;
    plain.answer.cache_error = "ERR_DNS_FAIL 0";
    CHECK(judge(to(kPlain, kProxy), plain).fault == ConnectionFault::proxy_refused);
    CHECK(contains(judge(to(kPlain, kProxy), plain).message, "ERR_DNS_FAIL"));
    plain.answer = {.status = 407};
    CHECK(judge(to(kPlain, kProxy), plain).fault == ConnectionFault::proxy_authentication);
    CHECK(judge(to(kPlain), plain).fault == ConnectionFault::proxy_authentication); // a transparent one
    CHECK(outline(judge(to(kPlain), plain)) == "++--!");
    plain.answer = {.status = 404, .via = "1.1 cache"};
    CHECK(judge(to(kPlain, kProxy), plain).fault == ConnectionFault::http_status);
}

TEST_CASE("a proxy that nobody told us of names itself") {
    Observation seen = good();
    seen.secured = microseconds(0);
    seen.answer.line("Via: 1.1 cache.example.org (squid/5.7)");
    const ProbeResult result = judge(to(kPlain), seen);
    CHECK(result.fault == ConnectionFault::none);
    CHECK(result.intermediary == "1.1 cache.example.org (squid/5.7)");
    CHECK(contains(result.hops[4].detail, "squid"));
    seen.secured = microseconds(10'000);
    CHECK(judge(to(kSecure), seen).intermediary.empty()); // nobody can write into that
    CHECK(judge(to(kPlain, kProxy), good()).intermediary.empty());
}

TEST_CASE("any answer below 500 will do, except where the content is known") {
    Observation seen = good();
    seen.beginning = "  <html>Please log in</html>";
    CHECK(judge(to(kSecure), seen).fault == ConnectionFault::http_content);
    seen.answer.status = 404;
    CHECK(judge(to(kSecure), seen).fault == ConnectionFault::http_status);
    ProbeRequest any = to(kSecure);
    any.expects_json = false;
    CHECK(judge(any, seen).fault == ConnectionFault::none);
    seen.answer.status = 500;
    CHECK(judge(any, seen).fault == ConnectionFault::http_status);
}

TEST_CASE("headers: nonsense is nothing, and nothing is longer than it may be") {
    AnswerHeaders headers;
    for (const char* line : {"", ":", "Via", "HTTP/", "HTTP/1.1", "HTTP/1.1 x", "\x01: \xff"})
        headers.line(line);
    CHECK(headers.status == 0);
    headers.line("HTTP/1.1 200 OK\r\n");
    headers.line("via:  1.1 a \r\n");
    CHECK(headers.status == 200);
    CHECK(headers.via == "1.1 a");
    headers.line("Via: " + std::string(100'000, 'x'));
    CHECK(headers.via.size() <= 200);
    for (int i = 0; i < 1'000; ++i)
        headers.line("Proxy-Authenticate: Basic");
    CHECK(headers.authentication.size() <= 210);
    headers.line("HTTP/1.1 302 Found");
    CHECK(headers.via.empty());
}
