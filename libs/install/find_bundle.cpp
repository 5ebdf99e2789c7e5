#include <algorithm>
#include <sys/utsname.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/real_ports.h>

namespace picket::install {
namespace {

/// Runs of digits count as numbers: 0.10.0 is newer than 0.9.0.
bool older(std::string_view left, std::string_view right) {
    const auto left_parts = split(left, '.');
    const auto right_parts = split(right, '.');
    for (std::size_t i = 0; i < std::min(left_parts.size(), right_parts.size()); ++i) {
        const auto a = parse_unsigned(left_parts[i]);
        const auto b = parse_unsigned(right_parts[i]);
        if (a && b && *a != *b)
            return *a < *b;
        if ((!a || !b) && left_parts[i] != right_parts[i])
            return left_parts[i] < right_parts[i];
    }
    return left_parts.size() < right_parts.size();
}

} // namespace

std::string find_bundle(const std::vector<std::string>& directories) {
    struct utsname name {};
    uname(&name);
    const std::string prefix = "picket-";
    const std::string suffix = fmt::format("-{}.tar.gz", name.machine);
    for (const std::string& directory : directories) {
        const auto root = sys::Root::open(directory);
        if (!root)
            continue;
        std::string newest;
        for (const std::string& file : root->list("/").value_or(std::vector<std::string>{})) {
            if (file.size() <= prefix.size() + suffix.size() || !file.starts_with(prefix) || !file.ends_with(suffix))
                continue;
            const std::string version = file.substr(prefix.size(), file.size() - prefix.size() - suffix.size());
            if (newest.empty() || older(newest, version))
                newest = version;
        }
        if (!newest.empty())
            return fmt::format("{}/{}{}{}", directory, prefix, newest, suffix);
    }
    return "";
}

} // namespace picket::install
