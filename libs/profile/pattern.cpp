#include "pattern.h"

#include <cstddef>

namespace picket::profile {
namespace {

constexpr std::size_t kLongestComponent = 1'024; // 255 UTF-16 units of vfat, in UTF-8, with room

/// Takes the first component off; slashes before it do not count. Empty at the end.
std::string_view next_component(std::string_view& path) {
    const auto begin = path.find_first_not_of('/');
    if (begin == std::string_view::npos) {
        path = {};
        return {};
    }
    const auto end = path.find('/', begin);
    const std::string_view component = path.substr(begin, end == std::string_view::npos ? end : end - begin);
    path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
    return component;
}

/// Matches the components of `rule` against the first ones of `path`; what is left of `path` stays in it.
bool take_prefix(std::string_view rule, std::string_view& path) {
    if (path.empty() || path[0] != '/')
        return false;
    for (;;) {
        const std::string_view wanted = next_component(rule);
        if (wanted.empty())
            return true;
        const std::string_view found = next_component(path);
        if (found.empty() || !component_matches(wanted, found))
            return false;
    }
}

} // namespace

bool component_matches(std::string_view pattern, std::string_view component) {
    auto star = pattern.find('*');
    if (star == std::string_view::npos)
        return pattern == component;
    if (component.size() > kLongestComponent || !component.starts_with(pattern.substr(0, star)))
        return false;
    component.remove_prefix(star);
    pattern.remove_prefix(star);
    // Each piece between two stars is best taken at its first place; only the last one is tied to the end.
    for (;;) {
        pattern.remove_prefix(1);
        star = pattern.find('*');
        if (star == std::string_view::npos)
            return component.ends_with(pattern);
        const auto at = component.find(pattern.substr(0, star));
        if (at == std::string_view::npos)
            return false;
        component.remove_prefix(at + star);
        pattern.remove_prefix(star);
    }
}

bool directory_rule_covers(std::string_view rule, std::string_view path) {
    return take_prefix(rule, path);
}

bool file_rule_matches(std::string_view rule, std::string_view path) {
    if (rule.find('*') == std::string_view::npos)
        return rule == path;
    return take_prefix(rule, path) && next_component(path).empty();
}

} // namespace picket::profile
