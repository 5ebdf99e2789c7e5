#include <sys/utsname.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/real_ports.h>
#include <picket/install/version_order.h>

namespace picket::install {

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
            if (newest.empty() || is_older(newest, version))
                newest = version;
        }
        if (!newest.empty())
            return fmt::format("{}/{}{}{}", directory, prefix, newest, suffix);
    }
    return "";
}

} // namespace picket::install
