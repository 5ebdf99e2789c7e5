#include <picket/net/probe.h>

#include <array>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "curl_setup.h"
#include "probe_judge.h"

namespace picket::net {
namespace {

using std::chrono::microseconds;
using Ending = Observation::Ending;

constexpr long kMostRedirects = 5;
constexpr std::size_t kBeginning = 512; ///< of the content: who it is from shows there
constexpr std::uint64_t kMostHeaderBytes = 65'536;
constexpr std::size_t kLongestText = 200;

struct CloseHandle {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

/// One attempt while it runs; what libcurl's callbacks get.
struct Attempt {
    const ProbeRequest& request;
    const std::function<bool()>& cancelled;
    bool through_tunnel = false; ///< https through a proxy: its answer to CONNECT comes first
    Observation seen;
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    AnswerHeaders now;
    std::uint64_t header_bytes = 0;
    bool enough = false; ///< ended by us

    microseconds since_start() const {
        return std::chrono::ceil<microseconds>(std::chrono::steady_clock::now() - start);
    }
    bool in_tunnel() const { return !through_tunnel || seen.tunnelled.count() > 0; }
    void end_of_headers() {
        constexpr long kFinal = 200;
        constexpr long kRefused = 300;
        if (now.status < kFinal)
            return; // 100 Continue
        if (in_tunnel()) {
            seen.answer = now;
            seen.answered = since_start();
            return;
        }
        seen.tunnel = now;
        if (now.status < kRefused)
            seen.tunnelled = since_start();
    }
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* context) {
    auto& attempt = *static_cast<Attempt*>(context);
    const std::string_view line(data, size * count);
    attempt.header_bytes += line.size();
    if (attempt.header_bytes > kMostHeaderBytes)
        return 0;
    if (trim(line).empty())
        attempt.end_of_headers();
    else
        attempt.now.line(line);
    return line.size();
}

std::size_t on_content(char* data, std::size_t size, std::size_t count, void* context) {
    auto& attempt = *static_cast<Attempt*>(context);
    const std::size_t length = size * count;
    std::string& beginning = attempt.seen.beginning;
    beginning.append(data, std::min(length, kBeginning - std::min(beginning.size(), kBeginning)));
    attempt.enough = beginning.size() >= kBeginning;
    return attempt.enough ? 0 : length;
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Attempt*>(context)->cancelled() ? 1 : 0;
}

Ending ending_of(CURLcode code) {
    switch (code) {
    case CURLE_OK:
        return Ending::done;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return Ending::no_name;
    case CURLE_COULDNT_CONNECT:
        return Ending::no_connection;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return Ending::tls;
    case CURLE_OPERATION_TIMEDOUT:
        return Ending::timed_out;
    default:
        return Ending::other;
    }
}

microseconds time_of(CURL* handle, CURLINFO info) {
    curl_off_t value = 0;
    curl_easy_getinfo(handle, info, &value);
    return microseconds(value);
}

std::string text_of(CURL* handle, CURLINFO info) {
    const char* value = nullptr;
    curl_easy_getinfo(handle, info, &value);
    return value != nullptr ? value : "";
}

std::string peer_of(CURL* handle) {
    long port = 0;
    curl_easy_getinfo(handle, CURLINFO_PRIMARY_PORT, &port);
    const std::string address = text_of(handle, CURLINFO_PRIMARY_IP);
    if (address.empty())
        return "";
    return address.find(':') == std::string::npos ? fmt::format("{}:{}", address, port)
                                                  : fmt::format("[{}]:{}", address, port);
}

std::string_view value_after(std::string_view line, std::string_view name) {
    return line.starts_with(name) ? trim(line.substr(name.size())) : std::string_view();
}

/// Of the first certificate, which is the server's.
void read_certificate(CURL* handle, Observation& seen) {
    curl_certinfo* chain = nullptr;
    if (curl_easy_getinfo(handle, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == nullptr || chain->num_of_certs < 1)
        return;
    std::string from;
    std::string to;
    for (const curl_slist* item = chain->certinfo[0]; item != nullptr; item = item->next) {
        const std::string_view line(item->data);
        if (const auto issuer = value_after(line, "Issuer:"); !issuer.empty())
            seen.issuer = issuer.substr(0, kLongestText);
        if (const auto date = value_after(line, "Start date:"); !date.empty())
            from = date.substr(0, kLongestText);
        if (const auto date = value_after(line, "Expire date:"); !date.empty())
            to = date.substr(0, kLongestText);
    }
    seen.validity = fmt::format("it is from {} to {}", from, to);
}

void prepare(CURL* handle, Attempt& attempt) {
    const ProbeRequest& request = attempt.request;
    set_request(handle, request.url, request.ca_certificates, request.proxy, request.no_proxy);
    set_callbacks(handle, on_header, on_content, on_progress, &attempt);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, static_cast<long>(request.time_limit.count()));
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, static_cast<long>(request.time_limit.count()));
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(handle, CURLOPT_MAXREDIRS, kMostRedirects);
    curl_easy_setopt(handle, CURLOPT_CERTINFO, 1L);
}

void observe(CURL* handle, Attempt& attempt, CURLcode code, const char* detail) {
    Observation& seen = attempt.seen;
    seen.ending = attempt.enough ? Ending::done : ending_of(code);
    long os_error = 0;
    curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &os_error);
    const bool has_errno = seen.ending == Ending::no_connection && os_error != 0;
    if (seen.ending != Ending::done)
        seen.detail = has_errno           ? std::strerror(static_cast<int>(os_error))
                      : detail[0] != '\0' ? detail
                                          : curl_easy_strerror(code);
    seen.named = time_of(handle, CURLINFO_NAMELOOKUP_TIME_T);
    seen.connected = time_of(handle, CURLINFO_CONNECT_TIME_T);
    seen.secured = time_of(handle, CURLINFO_APPCONNECT_TIME_T);
    seen.ended = time_of(handle, CURLINFO_TOTAL_TIME_T);
    seen.peer = peer_of(handle);
    curl_easy_getinfo(handle, CURLINFO_SSL_VERIFYRESULT, &seen.verification);
    seen.refused_certificate = code == CURLE_PEER_FAILED_VERIFICATION;
    read_certificate(handle, seen);
}

/// Who shows the certificate that was refused: up to the end of the handshake, and nothing is sent.
void look_at_certificate(CURL* handle, Attempt& attempt) {
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(handle, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, nullptr);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, nullptr);
    if (curl_easy_perform(handle) == CURLE_OK)
        read_certificate(handle, attempt.seen);
}

} // namespace

ProbeResult probe(const ProbeRequest& request, const std::function<bool()>& cancelled) {
    const std::unique_ptr<CURL, CloseHandle> handle(new_handle());
    const bool proxied = !request.proxy.empty() && !bypasses_proxy(request.url, request.no_proxy);
    Attempt attempt{
        .request = request, .cancelled = cancelled, .through_tunnel = proxied && place_of(request.url).secure};
    prepare(handle.get(), attempt);
    std::array<char, CURL_ERROR_SIZE> detail{};
    curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, detail.data());
    const CURLcode code = curl_easy_perform(handle.get());
    observe(handle.get(), attempt, code, detail.data());
    if (attempt.seen.refused_certificate && attempt.seen.issuer.empty())
        look_at_certificate(handle.get(), attempt);
    return judge(request, attempt.seen);
}

} // namespace picket::net
