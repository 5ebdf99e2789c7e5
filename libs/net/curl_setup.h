#pragma once
#include <string>
#include <vector>

#include <curl/curl.h>

/// What downloads and probes have in common, so that a probe finds what a download would.
namespace picket::net {

/// A handle; libcurl is made ready at the first call.
CURL* new_handle();
/// What is asked for, whom to believe, and the way there.
void set_request(CURL* handle, const std::string& url, const std::string& ca_certificates, const std::string& proxy,
                 const std::vector<std::string>& no_proxy);
/// Who hears of it as it comes; `context` is theirs (CURLOPT_HEADERFUNCTION, …WRITEFUNCTION, …XFERINFOFUNCTION).
void set_callbacks(CURL* handle, curl_write_callback on_header, curl_write_callback on_content,
                   curl_xferinfo_callback on_progress, void* context);

} // namespace picket::net
