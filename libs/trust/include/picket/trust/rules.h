#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/result.h>

/// What may stand in an onboarding document. Made and opened packages are held to the same rules; every refusal is
/// invalid_input and says what would be right.
namespace picket::trust {

/// http or https, a host, no user or password, at most 2048 printable ASCII characters.
Result<void> check_url(std::string_view url);
/// http://host:port only: what every part of Picket can use without asking anybody. PAC, credentials, other kinds are
/// refused with what to do instead.
Result<void> check_proxy_url(std::string_view url);
/// Hosts that are reached without the proxy: at most 64, each a host name (it and all below it), an address, a range of
/// addresses (10.0.0.0/8) or "*".
Result<void> check_no_proxy(const std::vector<std::string>& entries);
/// 1 to 128 bytes, one printable line, UTF-8, no blank at its ends.
Result<void> check_organisation_name(std::string_view name);
/// 2 to 32 lower-case letters, digits, '-'.
Result<void> check_region(std::string_view region);
/// As a file name: letters, digits, '_', '.', '-', a letter or digit first, at most 64.
Result<void> check_profile_name(std::string_view name);

} // namespace picket::trust
