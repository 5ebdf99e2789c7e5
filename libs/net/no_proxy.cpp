#include <picket/net/no_proxy.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::net {
namespace {

struct Address {
    std::array<unsigned char, 16> bytes{};
    unsigned bits = 0; ///< 32 or 128
};

std::optional<Address> address_of(const std::string& text) {
    Address address;
    if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1)
        address.bits = 32;
    else if (inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1)
        address.bits = 128;
    else
        return std::nullopt;
    return address;
}

bool shares_bits(const Address& left, const Address& right, unsigned bits) {
    for (unsigned i = 0; i < bits; ++i) {
        const unsigned mask = 0x80U >> (i % 8);
        if (((left.bytes[i / 8] ^ right.bytes[i / 8]) & mask) != 0)
            return false;
    }
    return true;
}

bool is_in_range(const Address& address, std::string_view entry) {
    const auto slash = entry.find('/');
    const auto start = address_of(std::string(entry.substr(0, slash)));
    if (!start || start->bits != address.bits)
        return false;
    const auto bits = slash == std::string_view::npos ? std::optional<std::uint64_t>(start->bits)
                                                      : parse_unsigned(entry.substr(slash + 1));
    return bits && *bits <= start->bits && shares_bits(address, *start, static_cast<unsigned>(*bits));
}

bool is_at_or_below(std::string_view host, std::string_view name) {
    if (name.starts_with('.'))
        name.remove_prefix(1);
    if (name.empty() || !host.ends_with(name))
        return false;
    return host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
}

} // namespace

std::string Place::text() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Place place_of(std::string_view url) {
    constexpr std::uint16_t kHttp = 80;
    constexpr std::uint16_t kHttps = 443;
    const auto colon = url.find("://");
    const std::string scheme = to_lower(url.substr(0, colon == std::string_view::npos ? 0 : colon));
    if (scheme != "http" && scheme != "https")
        return {};
    Place place{.port = scheme == "https" ? kHttps : kHttp, .secure = scheme == "https"};
    std::string_view authority = url.substr(colon + 3);
    authority = authority.substr(0, authority.find_first_of("/?#"));
    std::string_view after;
    if (authority.starts_with('[')) {
        const auto close = std::min(authority.find(']'), authority.size() - 1);
        place.host = to_lower(authority.substr(1, close - 1));
        after = authority.substr(close + 1);
    } else {
        const auto port = std::min(authority.find(':'), authority.size());
        place.host = to_lower(authority.substr(0, port));
        after = authority.substr(port);
    }
    while (place.host.ends_with('.'))
        place.host.pop_back();
    if (after.starts_with(':'))
        place.port = static_cast<std::uint16_t>(parse_unsigned(after.substr(1)).value_or(place.port));
    place.is_address = address_of(place.host).has_value();
    return place;
}

bool bypasses_proxy(std::string_view url, const std::vector<std::string>& no_proxy) {
    const Place place = place_of(url);
    const auto address = address_of(place.host);
    return std::any_of(no_proxy.begin(), no_proxy.end(), [&](const std::string& written) {
        const std::string entry = to_lower(trim(written));
        if (entry == "*")
            return true;
        return address ? is_in_range(*address, entry) : is_at_or_below(place.host, entry);
    });
}

} // namespace picket::net
