#include <picket/model/connection.h>

#include "names.h"

namespace picket {
namespace {

constexpr Names<Hop, 5> kHopNames{
    {{Hop::dns, "dns"}, {Hop::tcp, "tcp"}, {Hop::proxy, "proxy"}, {Hop::tls, "tls"}, {Hop::http, "http"}}};

constexpr Names<HopStatus, 3> kStatusNames{
    {{HopStatus::passed, "passed"}, {HopStatus::failed, "failed"}, {HopStatus::skipped, "skipped"}}};

constexpr Names<ConnectionFault, 14> kFaultNames{{{ConnectionFault::none, "none"},
                                                  {ConnectionFault::dns_failed, "dns_failed"},
                                                  {ConnectionFault::tcp_failed, "tcp_failed"},
                                                  {ConnectionFault::proxy_unreachable, "proxy_unreachable"},
                                                  {ConnectionFault::proxy_authentication, "proxy_authentication"},
                                                  {ConnectionFault::proxy_refused, "proxy_refused"},
                                                  {ConnectionFault::tls_interception, "tls_interception"},
                                                  {ConnectionFault::tls_untrusted, "tls_untrusted"},
                                                  {ConnectionFault::tls_wrong_name, "tls_wrong_name"},
                                                  {ConnectionFault::tls_expired, "tls_expired"},
                                                  {ConnectionFault::tls_failed, "tls_failed"},
                                                  {ConnectionFault::http_failed, "http_failed"},
                                                  {ConnectionFault::http_status, "http_status"},
                                                  {ConnectionFault::http_content, "http_content"}}};

} // namespace

std::string_view to_string(Hop hop) {
    return name_of(kHopNames, hop);
}
std::optional<Hop> hop_from(std::string_view name) {
    return value_of(kHopNames, name);
}
std::string_view to_string(HopStatus status) {
    return name_of(kStatusNames, status);
}
std::optional<HopStatus> hop_status_from(std::string_view name) {
    return value_of(kStatusNames, name);
}
std::string_view to_string(ConnectionFault fault) {
    return name_of(kFaultNames, fault);
}
std::optional<ConnectionFault> connection_fault_from(std::string_view name) {
    return value_of(kFaultNames, name);
}

} // namespace picket
