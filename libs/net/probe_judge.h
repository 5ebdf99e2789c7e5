#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include <picket/model/connection.h>
#include <picket/net/no_proxy.h>

/// From what one attempt showed to the hop that is at fault. Pure.
namespace picket::net {

/// The headers of one answer that say who made it.
struct AnswerHeaders {
    long status = 0;
    std::string via;
    std::string server;
    std::string cache_error;    ///< X-Squid-Error
    std::string authentication; ///< Proxy-Authenticate: its schemes

    /// One line as it came.
    void line(std::string_view line);
};

struct Observation {
    enum class Ending { done, no_name, no_connection, tls, timed_out, other };
    Ending ending = Ending::done;
    std::string detail; ///< libcurl's words
    // How far it came, each in time since the start; 0 = not so far.
    std::chrono::microseconds named{0};
    std::chrono::microseconds connected{0};
    std::chrono::microseconds tunnelled{0};
    std::chrono::microseconds secured{0};
    std::chrono::microseconds answered{0};
    std::chrono::microseconds ended{0};
    std::string peer;      ///< address and port that the connection leads to
    AnswerHeaders tunnel;  ///< the proxy's answer to CONNECT
    AnswerHeaders answer;  ///< the last one
    std::string beginning; ///< of its content
    long verification = 0; ///< OpenSSL's X509_V_ERR_…
    bool refused_certificate = false;
    std::string issuer;
    std::string validity; ///< "FIRST DAY to LAST DAY" as the certificate says
};

ProbeResult judge(const ProbeRequest& request, const Observation& seen);

} // namespace picket::net
