#pragma once
#include <string>
#include <vector>

#include <curl/curl.h>

/// What downloads and probes have in common, so that a probe finds what a download would.
namespace picket::net {

/// A handle; libcurl is made ready at the first call.
CURL* new_handle();
/// Http and https only; https stays https at a redirect.
void set_protocols(CURL* handle, bool secure);
/// `pem`: the only authorities that count; "" = those of the host.
void set_trust(CURL* handle, const std::string& pem);
/// Through the proxy unless the URL's host is to be reached without it. Nothing of the environment counts.
void set_way(CURL* handle, const std::string& url, const std::string& proxy, const std::vector<std::string>& no_proxy);

} // namespace picket::net
