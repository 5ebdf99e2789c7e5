#pragma once
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// One way to one server, hop by hop: what is asked for, and what was found. Pure data, made by an unprivileged
/// process: whoever takes it from there takes it as a stranger's.
namespace picket {

enum class Hop { dns, tcp, proxy, tls, http };
inline constexpr std::array kHops{Hop::dns, Hop::tcp, Hop::proxy, Hop::tls, Hop::http};
std::string_view to_string(Hop hop);
std::optional<Hop> hop_from(std::string_view name);

/// Skipped: the way has no such hop, or a hop before it failed.
enum class HopStatus { passed, failed, skipped };
std::string_view to_string(HopStatus status);
std::optional<HopStatus> hop_status_from(std::string_view name);

struct HopResult {
    Hop hop = Hop::dns;
    HopStatus status = HopStatus::skipped;
    std::string target; ///< HOST or HOST:PORT that this hop is about
    std::chrono::milliseconds took{0};
    std::string detail; ///< what was found: an address, an issuer, a status; one line, not yet escaped
    bool operator==(const HopResult&) const = default;
};

/// Why a way does not work: the words of docs/operations.md.
enum class ConnectionFault {
    none,
    dns_failed,
    tcp_failed,
    proxy_unreachable,
    proxy_authentication, ///< it asks for a password
    proxy_refused,
    tls_interception, ///< the certificate's issuer is none that the organisation's authorities vouch for
    tls_untrusted,    ///< the same where only the host's own authorities are asked
    tls_wrong_name,
    tls_expired, ///< or not yet valid
    tls_failed,
    http_failed,
    http_status,
    http_content, ///< something else answers in the server's place
};
std::string_view to_string(ConnectionFault fault);
std::optional<ConnectionFault> connection_fault_from(std::string_view name);

struct ProbeRequest {
    std::string url;
    std::string proxy;                 ///< http://HOST:PORT; "" = none
    std::vector<std::string> no_proxy; ///< hosts that are reached without it (trust::check_no_proxy)
    std::string ca_certificates;       ///< PEM: the only ones that count; "" = those of the host
    bool expects_json = false;         ///< 200 and an object; otherwise any answer below 500 will do
    std::chrono::seconds time_limit{10};
};

struct ProbeResult {
    bool through_proxy = false;
    std::vector<HopResult> hops; ///< one for each of kHops, in that order
    ConnectionFault fault = ConnectionFault::none;
    std::string message;               ///< what is wrong, one sentence; "" without a fault
    std::string issuer;                ///< of the certificate that was shown
    std::string intermediary;          ///< a proxy or cache that nobody told us of, as it names itself
    std::chrono::milliseconds took{0}; ///< all of it
    bool operator==(const ProbeResult&) const = default;
};

} // namespace picket
