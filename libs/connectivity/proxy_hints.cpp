#include <picket/connectivity/proxy_hints.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/trust/rules.h>

namespace picket::connectivity {
namespace {

constexpr std::array kVariables{"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", "auto_proxy"};
constexpr std::array kFiles{"/etc/environment", "/etc/sysconfig/proxy"};
constexpr std::size_t kLongestValue = 200;

bool is_auto_configuration(const std::string& name, const std::string& value) {
    const std::string lower = to_lower(value);
    return name == "auto_proxy" || lower.starts_with("pac+") || lower.find(".pac") != std::string::npos ||
           lower.find("wpad") != std::string::npos;
}

ProxyHint::Kind kind_of(const std::string& name, const std::string& value) {
    if (is_auto_configuration(name, value))
        return ProxyHint::Kind::auto_configuration;
    if (value.find('@') != std::string::npos)
        return ProxyHint::Kind::authenticated;
    return trust::check_proxy_url(value) ? ProxyHint::Kind::usable : ProxyHint::Kind::unsupported;
}

std::string without_password(const std::string& value) {
    const auto at = value.rfind('@');
    if (at == std::string::npos)
        return value;
    const auto scheme = value.find("://");
    return (scheme == std::string::npos || scheme > at ? "" : value.substr(0, scheme + 3)) + value.substr(at + 1);
}

void add(std::vector<ProxyHint>& hints, const std::string& source, const std::string& name, std::string value) {
    if (value.empty())
        return;
    if (value.find("://") == std::string::npos) // curl and others read it so
        value = "http://" + value;
    ProxyHint hint{source, escape_for_display(without_password(value).substr(0, kLongestValue)), kind_of(name, value)};
    const bool known =
        std::any_of(hints.begin(), hints.end(), [&](const ProxyHint& other) { return other.value == hint.value; });
    if (!known)
        hints.push_back(std::move(hint));
}

/// NAME=VALUE, with or without `export` and quotes.
void read_file(std::vector<ProxyHint>& hints, const sys::Root& root, const char* path) {
    const auto text = root.read(path, kibibytes(64));
    if (!text || text->find("PROXY_ENABLED=\"no\"") != std::string::npos)
        return;
    for (std::string_view line : split(*text, '\n')) {
        line = trim(line);
        if (line.starts_with("export "))
            line = trim(line.substr(7));
        const auto equals = line.find('=');
        if (equals == std::string_view::npos)
            continue;
        const std::string name = to_lower(line.substr(0, equals));
        std::string_view value = trim(line.substr(equals + 1));
        if (value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0])
            value = value.substr(1, value.size() - 2);
        if (std::find(kVariables.begin(), kVariables.end(), name) != kVariables.end())
            add(hints, path, name, std::string(value));
    }
}

} // namespace

std::vector<ProxyHint> find_proxy_hints(const std::function<std::string(const char*)>& variable,
                                        const sys::Root& root) {
    std::vector<ProxyHint> hints;
    for (const char* name : kVariables)
        add(hints, fmt::format("the environment ({})", name), name, variable(name));
    for (const char* path : kFiles)
        read_file(hints, root, path);
    return hints;
}

} // namespace picket::connectivity
