#include <picket/profile/policy.h>

#include <algorithm>

#include "pattern.h"

namespace picket::profile {
namespace {

std::string_view last_component(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

/// What follows the last dot; nothing for ".profile" (a hidden file has no extension by that dot) and "file.".
std::string_view extension_of(std::string_view name) {
    const auto dot = name.rfind('.');
    return dot == std::string_view::npos || dot == 0 ? std::string_view{} : name.substr(dot + 1);
}

bool contains(const std::vector<std::string>& values, std::string_view value) {
    return std::any_of(values.begin(), values.end(), [&](const std::string& each) { return each == value; });
}

} // namespace

bool ExclusionMatcher::excludes_path(std::string_view path) const {
    if (path.empty() || path[0] != '/')
        return false;
    const std::string_view name = last_component(path);
    if (!name.empty() && contains(names, name))
        return true;
    if (const std::string_view extension = extension_of(name); !extension.empty() && contains(extensions, extension))
        return true;
    const auto covers = [&](const std::string& rule) { return directory_rule_covers(rule, path); };
    const auto equals = [&](const std::string& rule) { return file_rule_matches(rule, path); };
    return std::any_of(directories.begin(), directories.end(), covers) ||
           std::any_of(files.begin(), files.end(), equals);
}

bool ExclusionMatcher::excludes_process(std::string_view executable) const {
    if (executable.empty() || executable[0] != '/')
        return false; // the kernel did not show us which program it is
    const std::string_view name = last_component(executable);
    return std::any_of(processes.begin(), processes.end(), [&](const std::string& rule) {
        return !rule.empty() && (rule[0] == '/' ? rule == executable : rule == name);
    });
}

bool ExclusionMatcher::has_path_rules() const {
    return !directories.empty() || !files.empty() || !extensions.empty() || !names.empty();
}

bool ExclusionMatcher::has_process_rules() const {
    return !processes.empty();
}

} // namespace picket::profile
