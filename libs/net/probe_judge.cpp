#include "probe_judge.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::net {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Ending = Observation::Ending;

constexpr std::size_t kLongestValue = 200;
constexpr long kOk = 200;
constexpr long kAuthenticationRequired = 407;
constexpr long kServerErrors = 500;

/// X509_V_ERR_…: nobody that is trusted has signed it.
constexpr std::array kUnknownIssuer{2L, 7L, 18L, 19L, 20L, 21L, 24L};
constexpr std::array kOutOfTime{9L, 10L, 13L, 14L};
constexpr std::array kOtherName{0L, 1L, 62L, 63L, 64L}; ///< 0, 1: libcurl compares names by itself

template <std::size_t N>
bool is_one_of(const std::array<long, N>& codes, long code) {
    return std::find(codes.begin(), codes.end(), code) != codes.end();
}

/// One attempt on its way through the hops.
class Judge {
  public:
    Judge(const ProbeRequest& request, const Observation& seen)
        : request_(request), seen_(seen), server_(place_of(request.url)),
          through_proxy_(!request.proxy.empty() && !bypasses_proxy(request.url, request.no_proxy)),
          next_(through_proxy_ ? place_of(request.proxy) : server_) {}

    ProbeResult result() {
        result_.through_proxy = through_proxy_;
        result_.issuer = seen_.issuer;
        result_.took = to_ms(seen_.ended);
        if (!through_proxy_ && !server_.secure)
            result_.intermediary = who_passed_it_on(seen_.answer);
        for (const Hop hop : kHops)
            result_.hops.push_back({.hop = hop, .target = target_of(hop)});
        using Step = bool (Judge::*)();
        for (const Step step : {&Judge::dns, &Judge::tcp, &Judge::proxy, &Judge::tls, &Judge::http})
            if (!(this->*step)())
                break;
        return std::move(result_);
    }

  private:
    bool dns() {
        if (seen_.ending == Ending::no_name ||
            (seen_.ending == Ending::timed_out && seen_.named.count() == 0 && !next_.is_address))
            return fail(Hop::dns, through_proxy_ ? ConnectionFault::proxy_unreachable : ConnectionFault::dns_failed,
                        seen_.named, seen_.ending == Ending::timed_out ? "no answer in time" : "no such name",
                        fmt::format("the name of the {} is not known here: {}", through_proxy_ ? "proxy" : "server",
                                    next_.host));
        if (!next_.is_address)
            pass(Hop::dns, seen_.named, "found");
        return true;
    }

    bool tcp() {
        if (seen_.ending == Ending::no_connection ||
            (seen_.ending == Ending::timed_out && seen_.connected.count() == 0))
            return fail(Hop::tcp, through_proxy_ ? ConnectionFault::proxy_unreachable : ConnectionFault::tcp_failed,
                        seen_.ended - seen_.named,
                        seen_.ending == Ending::timed_out ? "no answer in time" : seen_.detail,
                        fmt::format("no connection to the {} {}: {}", through_proxy_ ? "proxy" : "server", next_.text(),
                                    seen_.ending == Ending::timed_out ? "no answer in time" : seen_.detail));
        pass(Hop::tcp, seen_.connected - seen_.named, seen_.peer);
        return true;
    }

    bool proxy() {
        if (!through_proxy_)
            return true;
        const AnswerHeaders& answer = server_.secure ? seen_.tunnel : seen_.answer;
        const microseconds took = (seen_.tunnelled.count() > 0 ? seen_.tunnelled : seen_.ended) - seen_.connected;
        if (answer.status == kAuthenticationRequired)
            return fail_authentication(Hop::proxy, took, answer);
        if (server_.secure && seen_.tunnelled.count() == 0)
            return fail(
                Hop::proxy, ConnectionFault::proxy_refused, took,
                answer.status != 0 ? fmt::format("CONNECT: {}", answer.status) : seen_.detail,
                answer.status != 0
                    ? fmt::format("the proxy {} does not let this host through to {}: it answers {}{}", next_.text(),
                                  server_.text(), answer.status, in_words(answer.cache_error))
                    : fmt::format("what answers at {} does not do what a proxy does: {}", next_.text(), words()));
        if (!server_.secure && is_of_proxy(answer))
            return fail(Hop::proxy, ConnectionFault::proxy_refused, took, std::to_string(answer.status),
                        fmt::format("the proxy {} itself answers {} for {}{}", next_.text(), answer.status,
                                    server_.text(), in_words(answer.cache_error)));
        if (server_.secure)
            pass(Hop::proxy, took, fmt::format("CONNECT: {}", answer.status));
        else if (answer.status != 0)
            pass(Hop::proxy, microseconds(0), who_passed_it_on(answer));
        return true;
    }

    bool tls() {
        if (!server_.secure)
            return true;
        const microseconds before = std::max(seen_.connected, seen_.tunnelled);
        if (seen_.secured.count() > 0 && seen_.ending != Ending::tls) {
            pass(Hop::tls, seen_.secured - before, seen_.issuer.empty() ? "" : "issued by " + seen_.issuer);
            return true;
        }
        const auto [fault, message] = tls_fault();
        return fail(Hop::tls, fault, seen_.ended - before,
                    seen_.issuer.empty() ? seen_.detail : "issued by " + seen_.issuer, message);
    }

    std::pair<ConnectionFault, std::string> tls_fault() const {
        const std::string issuer = seen_.issuer.empty() ? "an unknown issuer" : seen_.issuer;
        if (!seen_.refused_certificate)
            return {ConnectionFault::tls_failed, fmt::format("no TLS with {}: {}", server_.text(), words())};
        if (is_one_of(kUnknownIssuer, seen_.verification))
            return request_.ca_certificates.empty()
                       ? std::pair(ConnectionFault::tls_untrusted,
                                   fmt::format("the certificate shown for {} is issued by {}, which this host does not "
                                               "know",
                                               server_.host, issuer))
                       : std::pair(ConnectionFault::tls_interception,
                                   fmt::format("somebody answers for {} with a certificate issued by {}, which the "
                                               "organisation's authorities do not vouch for",
                                               server_.host, issuer));
        if (is_one_of(kOutOfTime, seen_.verification))
            return {ConnectionFault::tls_expired,
                    fmt::format("the certificate of {} is not valid now: {}", server_.host, seen_.validity)};
        if (is_one_of(kOtherName, seen_.verification))
            return {ConnectionFault::tls_wrong_name,
                    fmt::format("the certificate that is shown is not for {}", server_.host)};
        return {ConnectionFault::tls_failed,
                fmt::format("the certificate of {} is refused: {}", server_.host, words())};
    }

    bool http() {
        const microseconds before = std::max({seen_.connected, seen_.tunnelled, seen_.secured});
        const microseconds took = (seen_.answered.count() > 0 ? seen_.answered : seen_.ended) - before;
        const long status = seen_.answer.status;
        if (seen_.ending != Ending::done || status == 0)
            return fail(Hop::http, ConnectionFault::http_failed, took, seen_.detail,
                        fmt::format("{} gives no answer that can be used: {}", server_.text(), words()));
        if (status == kAuthenticationRequired)
            return fail_authentication(Hop::http, took, seen_.answer);
        const std::string shown = fmt::format("{}{}", status, in_words(result_.intermediary));
        if (request_.expects_json ? status != kOk : status >= kServerErrors)
            return fail(Hop::http, ConnectionFault::http_status, took, shown,
                        fmt::format("{} answers {} for {}{}",
                                    result_.intermediary.empty() ? "the server" : "a proxy on the way", status,
                                    request_.url, in_words(seen_.answer.cache_error)));
        const std::string_view content = trim(seen_.beginning);
        if (request_.expects_json && !content.starts_with('{'))
            return fail(Hop::http, ConnectionFault::http_content, took, shown,
                        fmt::format("what comes for {} is not what belongs there: somebody else answers, as the login "
                                    "page of a network does",
                                    request_.url));
        pass(Hop::http, took, shown);
        return true;
    }

    // --- words

    std::string words() const { return seen_.ending == Ending::timed_out ? "no answer in time" : seen_.detail; }

    static std::string in_words(const std::string& text) { return text.empty() ? "" : fmt::format(" ({})", text); }

    std::string target_of(Hop hop) const {
        switch (hop) {
        case Hop::dns:
            return next_.is_address ? "" : next_.host;
        case Hop::tcp:
            return next_.text();
        case Hop::proxy:
            return through_proxy_ ? next_.text() : "";
        case Hop::tls:
            return server_.secure ? server_.text() : "";
        case Hop::http:
            break;
        }
        return server_.text();
    }

    static std::string who_passed_it_on(const AnswerHeaders& answer) {
        return answer.via.empty() && !answer.cache_error.empty() ? answer.server : answer.via;
    }

    /// Its own words, and not the server's.
    static bool is_of_proxy(const AnswerHeaders& answer) {
        return answer.status >= 400 && (!answer.cache_error.empty() || answer.server.starts_with("tinyproxy"));
    }

    static milliseconds to_ms(microseconds time) {
        return std::chrono::ceil<milliseconds>(std::max(time, microseconds(0)));
    }

    HopResult& at(Hop hop) { return result_.hops[static_cast<std::size_t>(hop)]; }

    void pass(Hop hop, microseconds took, const std::string& detail) {
        at(hop).status = HopStatus::passed;
        at(hop).took = to_ms(took);
        at(hop).detail = detail;
    }
    bool fail(Hop hop, ConnectionFault fault, microseconds took, const std::string& detail, std::string message) {
        at(hop).status = HopStatus::failed;
        at(hop).took = to_ms(took);
        at(hop).detail = detail;
        result_.fault = fault;
        result_.message = std::move(message);
        return false;
    }
    bool fail_authentication(Hop hop, microseconds took, const AnswerHeaders& answer) {
        return fail(hop, ConnectionFault::proxy_authentication, took, "407",
                    fmt::format("the proxy{} asks for a user and a password{}",
                                through_proxy_ ? " " + next_.text() : " on the way", in_words(answer.authentication)));
    }

    const ProbeRequest& request_;
    const Observation& seen_;
    const Place server_;
    const bool through_proxy_;
    const Place next_; ///< where the connection leads
    ProbeResult result_;
};

} // namespace

void AnswerHeaders::line(std::string_view line) {
    line = trim(line);
    if (line.starts_with("HTTP/")) {
        *this = {};
        const auto blank = line.find(' ');
        if (blank != std::string_view::npos)
            status = static_cast<long>(parse_unsigned(line.substr(blank + 1, 3)).value_or(0));
        return;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos)
        return;
    const std::string name = to_lower(line.substr(0, colon));
    const std::string value(trim(line.substr(colon + 1)).substr(0, kLongestValue));
    if (name == "via")
        via = value;
    else if (name == "server")
        server = value;
    else if (name == "x-squid-error")
        cache_error = value;
    else if (name == "proxy-authenticate") {
        const std::string scheme = value.substr(0, value.find(' '));
        if (authentication.size() + scheme.size() < kLongestValue)
            authentication += (authentication.empty() ? "" : ", ") + scheme;
    }
}

ProbeResult judge(const ProbeRequest& request, const Observation& seen) {
    return Judge(request, seen).result();
}

} // namespace picket::net
