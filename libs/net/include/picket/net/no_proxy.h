#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::net {

/// Where a URL leads. Of something that is no http or https URL all is empty.
struct Place {
    std::string host; ///< lower case, without the brackets of an IPv6 address
    std::uint16_t port = 0;
    bool secure = false;
    bool is_address = false; ///< a literal one: no name is looked up

    /// "HOST:PORT", or "[HOST]:PORT".
    std::string text() const;
};
Place place_of(std::string_view url);

/// Whether the URL's host is one of those that are reached without the proxy. An entry is a name (that host and all
/// below it; a dot in front changes nothing), an address, a range of addresses (10.0.0.0/8, fd00::/8), or "*".
bool bypasses_proxy(std::string_view url, const std::vector<std::string>& no_proxy);

} // namespace picket::net
