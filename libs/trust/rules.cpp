#include <picket/trust/rules.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::trust {
namespace {

constexpr std::size_t kMaxUrl = 2048;
constexpr std::size_t kMaxNoProxy = 64;
constexpr std::size_t kMaxHostName = 255;

Error refused(std::string message) {
    return Error(ErrorCode::invalid_input, std::move(message));
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_word(char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-';
}
bool is_of_v6(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

std::string shown(std::string_view text) {
    return escape_for_display(text.substr(0, 200));
}

/// Nothing that could be a password is repeated in a message.
std::string shown_url(std::string_view url) {
    const auto at = url.rfind('@');
    return at == std::string_view::npos ? shown(url) : "…@" + shown(url.substr(at + 1));
}

struct UrlParts {
    std::string scheme;
    std::string_view authority;
    std::string_view rest; ///< path, query, fragment
};

Result<UrlParts> split_url(std::string_view url) {
    const auto colon = url.find("://");
    if (url.size() > kMaxUrl || !std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7f; }))
        return refused(fmt::format("\"{}\": a URL has at most {} printable ASCII characters and no blanks",
                                   shown_url(url), kMaxUrl));
    if (colon == std::string_view::npos)
        return refused(fmt::format("\"{}\": a URL starts with https:// or http://", shown_url(url)));
    UrlParts parts{to_lower(url.substr(0, colon)), url.substr(colon + 3), {}};
    if (const auto end = parts.authority.find_first_of("/?#"); end != std::string_view::npos) {
        parts.rest = parts.authority.substr(end);
        parts.authority = parts.authority.substr(0, end);
    }
    return parts;
}

/// host, host:port, [v6], [v6]:port
bool is_host_and_port(std::string_view authority, bool port_required) {
    std::string_view host = authority;
    std::string_view after;
    if (authority.starts_with('[')) {
        const auto close = authority.find(']');
        if (close == std::string_view::npos)
            return false;
        host = authority.substr(1, close - 1);
        after = authority.substr(close + 1);
        if (!std::all_of(host.begin(), host.end(), is_of_v6))
            return false;
    } else {
        const auto colon = authority.find(':');
        host = authority.substr(0, colon);
        after = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
        if (!std::all_of(host.begin(), host.end(), is_word))
            return false;
    }
    if (host.empty())
        return false;
    if (after.empty())
        return !port_required;
    const auto port = after[0] == ':' ? parse_unsigned(after.substr(1)) : std::nullopt;
    return port && *port >= 1 && *port <= 65535;
}

} // namespace

Result<void> check_url(std::string_view url) {
    const UrlParts parts = PICKET_TRY(split_url(url));
    if (parts.scheme != "http" && parts.scheme != "https")
        return refused(fmt::format("\"{}\": only https:// and http:// are supported", shown_url(url)));
    if (parts.authority.find('@') != std::string_view::npos)
        return refused(fmt::format("\"{}\": a user or password in a URL would be readable on every host: leave it out",
                                   shown_url(url)));
    if (!is_host_and_port(parts.authority, false))
        return refused(fmt::format("\"{}\": a host name or address is expected after ://", shown_url(url)));
    return {};
}

Result<void> check_proxy_url(std::string_view url) {
    const std::string lower = to_lower(url);
    if (lower.ends_with(".pac") || lower.find(".pac?") != std::string::npos || lower.ends_with("wpad.dat") ||
        lower.starts_with("pac+"))
        return refused(
            fmt::format("\"{}\": proxy auto-configuration (PAC, WPAD) is not supported: give the proxy itself, "
                        "http://HOST:PORT",
                        shown_url(url)));
    const UrlParts parts = PICKET_TRY(split_url(url));
    if (parts.scheme != "http")
        return refused(fmt::format("\"{}\": only a plain HTTP proxy is supported: http://HOST:PORT", shown_url(url)));
    if (parts.authority.find('@') != std::string_view::npos)
        return refused(
            fmt::format("\"{}\": a proxy that asks for a user and password is not supported: let the proxy admit "
                        "these hosts by address, and give http://HOST:PORT",
                        shown_url(url)));
    if (!is_host_and_port(parts.authority, true) || (!parts.rest.empty() && parts.rest != "/"))
        return refused(fmt::format("\"{}\": a proxy is given as http://HOST:PORT", shown_url(url)));
    return {};
}

Result<void> check_no_proxy(const std::vector<std::string>& entries) {
    if (entries.size() > kMaxNoProxy)
        return refused(fmt::format("\"no_proxy\": at most {} hosts", kMaxNoProxy));
    for (const std::string& entry : entries) {
        const auto slash = entry.find('/');
        const std::string_view host = std::string_view(entry).substr(0, slash);
        const bool is_v6 = std::count(host.begin(), host.end(), ':') >= 2;
        const bool has_range = slash != std::string::npos &&
                               parse_unsigned(std::string_view(entry).substr(slash + 1)).value_or(999) <= 128;
        const bool fits = !host.empty() && entry.size() <= kMaxHostName && (slash == std::string::npos || has_range) &&
                          std::all_of(host.begin(), host.end(), is_v6 ? is_of_v6 : is_word);
        if (!fits && entry != "*")
            return refused(fmt::format("no proxy for \"{}\": a host name, an address or a range like 10.0.0.0/8 is "
                                       "expected, without a port and without https://",
                                       shown(entry)));
    }
    return {};
}

Result<void> check_organisation_name(std::string_view name) {
    if (name.empty() || name.size() > 128 || trim(name) != name || escape_for_display(name) != name)
        return refused(
            fmt::format("\"{}\": an organisation's name is one printable line of 1 to 128 bytes", shown(name)));
    return {};
}

Result<void> check_region(std::string_view region) {
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; };
    if (region.size() < 2 || region.size() > 32 || !std::all_of(region.begin(), region.end(), fits))
        return refused(fmt::format(
            "\"{}\": a region is 2 to 32 lower-case letters, digits or '-', for instance eu-central", shown(region)));
    return {};
}

Result<void> check_profile_name(std::string_view name) {
    if (name.empty() || name.size() > 64 || !(is_letter(name[0]) || is_digit(name[0])) ||
        !std::all_of(name.begin(), name.end(), is_word))
        return refused(
            fmt::format("profile \"{}\": a name is letters, digits, '_', '.' or '-', at most 64", shown(name)));
    return {};
}

} // namespace picket::trust
