#include "curl_setup.h"

#include <array>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/base/check.h>
#include <picket/base/text.h>
#include <picket/net/no_proxy.h>

namespace picket::net {
namespace {

/// Where distributions keep the certificates of the public authorities.
constexpr std::array kHostCertificates{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                       "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                       "/etc/ssl/cert.pem"};

/// Http and https only; https stays https at a redirect.
void set_protocols(CURL* handle, bool secure) {
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS, long{CURLPROTO_HTTP | CURLPROTO_HTTPS});
    curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS,
                     secure ? long{CURLPROTO_HTTPS} : long{CURLPROTO_HTTP | CURLPROTO_HTTPS});
#endif
}

/// `pem`: the only authorities that count; "" = those of the host.
void set_trust(CURL* handle, const std::string& pem) {
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
    if (!pem.empty()) {
        curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_COPY};
        curl_easy_setopt(handle, CURLOPT_CAINFO, nullptr);
        curl_easy_setopt(handle, CURLOPT_CAINFO_BLOB, &blob);
        return;
    }
    for (const char* path : kHostCertificates)
        if (access(path, R_OK) == 0) {
            curl_easy_setopt(handle, CURLOPT_CAINFO, path);
            return;
        }
}

/// Through the proxy unless the URL's host is to be reached without it. Nothing of the environment counts.
void set_way(CURL* handle, const std::string& url, const std::string& proxy, const std::vector<std::string>& no_proxy) {
    const bool direct = proxy.empty() || bypasses_proxy(url, no_proxy);
    curl_easy_setopt(handle, CURLOPT_PROXY, direct ? "" : proxy.c_str()); // "" also switches the environment's off
    curl_easy_setopt(handle, CURLOPT_NOPROXY, direct ? "" : join(no_proxy, ",").c_str()); // for redirects
}

} // namespace

CURL* new_handle() {
    static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
    PICKET_CHECK(kReady == CURLE_OK);
    CURL* const handle = curl_easy_init();
    PICKET_CHECK(handle != nullptr);
    return handle;
}

void set_request(CURL* handle, const std::string& url, const std::string& ca_certificates, const std::string& proxy,
                 const std::vector<std::string>& no_proxy) {
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, fmt::format("picket/{}", build::version()).c_str());
    curl_easy_setopt(handle, CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    set_protocols(handle, to_lower(url).starts_with("https:"));
    set_trust(handle, ca_certificates);
    set_way(handle, url, proxy, no_proxy);
}

void set_callbacks(CURL* handle, curl_write_callback on_header, curl_write_callback on_content,
                   curl_xferinfo_callback on_progress, void* context) {
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, context);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_content);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
}

} // namespace picket::net
