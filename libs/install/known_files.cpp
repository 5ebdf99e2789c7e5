#include <picket/install/known_files.h>

#include <cerrno>
#include <fnmatch.h>

#include <picket/base/text.h>
#include <picket/model/paths.h>
#include <picket/sys/mounts.h>

namespace picket::install {
namespace {

constexpr auto kFile = KnownPath::file;
constexpr auto kDirectory = KnownPath::directory;

/// Paths below `prefix` that match the components from `index` on.
void expand(const sys::Root& root, const std::string& prefix, const std::vector<std::string_view>& components,
            std::size_t index, std::vector<std::string>& found) {
    if (index == components.size()) {
        if (root.exists(prefix))
            found.push_back(prefix);
        return;
    }
    const std::string component(components[index]);
    if (component.find('*') == std::string::npos)
        return expand(root, prefix + "/" + component, components, index + 1, found);
    for (const std::string& name : root.list(prefix.empty() ? "/" : prefix).value_or(std::vector<std::string>{}))
        if (fnmatch(component.c_str(), name.c_str(), 0) == 0)
            expand(root, prefix + "/" + name, components, index + 1, found);
}

std::vector<std::string> matches(const sys::Root& root, const KnownPath& known) {
    std::vector<std::string> found;
    std::string_view pattern = known.pattern;
    pattern.remove_prefix(1);
    expand(root, "", split(pattern, '/'), 0, found);
    return found;
}

bool is_directory(const sys::Root& root, const std::string& path) {
    const auto status = root.status(path);
    return status && S_ISDIR(status->st_mode);
}

void remove_directory(const sys::Root& root, const std::string& path, RemovalReport& report) {
    if (!is_directory(root, path))
        return; // a link or file in its place is not what we made
    const auto inside = root.list(path, 1'000'000);
    if (inside && !inside->empty()) {
        for (const std::string& name : *inside)
            if (const std::string full = path + "/" + name; !is_directory(root, full))
                report.left.push_back(escape_for_display(full));
            else if (root.list(full, 1).value_or(std::vector<std::string>{"?"}).empty())
                report.left.push_back(escape_for_display(full) + "/");
        return;
    }
    const auto removed = root.remove(path);
    if (removed && *removed)
        ++report.removed;
    else if (!removed && removed.error().errno_value() == EBUSY)
        report.left.push_back(escape_for_display(path) + "/"); // somebody's mount point
    else if (!removed)
        report.errors.push_back(removed.error().message());
}

} // namespace

const std::vector<KnownPath>& product_files() {
    static const std::vector<KnownPath> kKnown{
        {"/etc/picket/onboarding.json", kFile},
        {"/etc/picket/enrolment.token", kFile},
        {"/etc/picket/tags.json", kFile},
        {"/etc/picket/.*.tmp", kFile},
        {"/etc/picket/managed.d/10-onboarding-*.json", kFile},
        {"/etc/picket/managed.d/3*-install.json", kFile},
        {"/etc/picket/managed.d/50-ansible.json", kFile},
        {"/etc/picket/managed.d/50-puppet.json", kFile},
        {"/etc/picket/managed.d/.*.tmp", kFile},
        {"/etc/picket/managed.d", kDirectory},
        {"/etc/picket", kDirectory},
        {"/var/lib/picket/definitions/current", kFile},
        {"/var/lib/picket/definitions/previous", kFile},
        {"/var/lib/picket/definitions/generations/*/*", kFile},
        {"/var/lib/picket/definitions/generations/*", kDirectory},
        {"/var/lib/picket/definitions/generations", kDirectory},
        {"/var/lib/picket/definitions/candidate", kFile},
        {"/var/lib/picket/definitions/mirror.json", kFile},
        {"/var/lib/picket/definitions/incoming/*.part", kFile},
        {"/var/lib/picket/definitions/incoming", kDirectory},
        {"/var/lib/picket/definitions/.*.tmp", kFile},
        {"/var/lib/picket/definitions", kDirectory},
        {"/var/lib/picket/profile/in-force.json", kFile},
        {"/var/lib/picket/profile/last-good.json", kFile},
        {"/var/lib/picket/profile/.*.tmp", kFile},
        {"/var/lib/picket/profile", kDirectory},
        {"/var/lib/picket/settings.json", kFile},
        {"/var/lib/picket/machine-id", kFile},
        {"/var/lib/picket/state.db", kFile},
        {"/var/lib/picket/state.db-*", kFile},
        {"/var/lib/picket/state.db.*", kFile},
        {"/var/lib/picket/.*.tmp", kFile},
        {"/var/lib/picket/quarantine/*.data", kFile},
        {"/var/lib/picket/quarantine/*.json", kFile},
        {"/var/lib/picket/quarantine/.*.tmp", kFile},
        {"/var/lib/picket/quarantine", kDirectory},
        {"/var/lib/picket/selftest/*", kFile},
        {"/var/lib/picket/selftest", kDirectory},
        {"/var/lib/picket/metrics/picket.prom", kFile},
        {"/var/lib/picket/metrics/.picket.prom.tmp", kFile},
        {"/var/lib/picket/metrics", kDirectory},
        {"/var/log/picket/*.log", kFile},
        {"/var/log/picket/*.log.*", kFile},
        {"/var/log/picket", kDirectory},
        {"/run/picket/*.sock", kFile},
        {"/run/picket/*.pid", kFile},
        {"/run/picket/*.lock", kFile},
        {"/run/picket/guard.json", kFile},
        {"/run/picket/notify/*", kFile},
        {"/run/picket/notify", kDirectory},
        {"/run/picket/engine-tmp", kDirectory},
        {"/run/picket", kDirectory},
        {"/var/lib/picket/install/packages/*.deb", kFile},
        {"/var/lib/picket/install/packages/*.rpm", kFile},
        {"/var/lib/picket/install/packages/.*.tmp", kFile},
        {"/var/lib/picket/install/packages", kDirectory},
        {"/var/lib/picket/install/receipt.json", kFile},
        {"/var/lib/picket/install/unproved", kFile},
        {"/var/lib/picket/install/os-upgrade.json", kFile},
        {"/var/lib/picket/install/picket-installer", kFile},
        {"/var/lib/picket/install/.*.tmp", kFile},
    };
    return kKnown;
}

const std::vector<KnownPath>& working_files() {
    static const std::vector<KnownPath> kKnown{
        {"/var/lib/picket/install/incoming/*", kFile},      {"/var/lib/picket/install/incoming/*/*", kFile},
        {"/var/lib/picket/install/incoming/*/*/*", kFile},  {"/var/lib/picket/install/incoming/*/*", kDirectory},
        {"/var/lib/picket/install/incoming/*", kDirectory}, {"/var/lib/picket/install/incoming", kDirectory},
        {"/var/lib/picket/install/staged/*/*", kFile},      {"/var/lib/picket/install/staged/*/*/*", kFile},
        {"/var/lib/picket/install/staged/*/*/*/*", kFile},  {"/var/lib/picket/install/staged/*/*/*", kDirectory},
        {"/var/lib/picket/install/staged/*/*", kDirectory}, {"/var/lib/picket/install/staged/*", kDirectory},
        {"/var/lib/picket/install/staged", kDirectory},     {"/var/lib/picket/install/backup/*", kFile},
        {"/var/lib/picket/install/backup", kDirectory},
    };
    return kKnown;
}

RemovalReport remove_known(const sys::Root& root, const std::vector<KnownPath>& known) {
    RemovalReport report;
    for (const KnownPath& row : known) {
        for (const std::string& path : matches(root, row)) {
            if (row.kind == kDirectory) {
                remove_directory(root, path, report);
                continue;
            }
            if (is_directory(root, path))
                continue;
            const auto removed = root.remove(path);
            if (removed && *removed)
                ++report.removed;
            else if (!removed)
                report.errors.push_back(removed.error().message());
        }
    }
    return report;
}

std::string foreign_mount(const sys::Root& root) {
    for (const sys::Mount& mount : sys::mounts_now())
        for (const KnownPath& row : product_files()) {
            const std::string folder = root.label() + row.pattern;
            // The whole of the state may lie on a file system of its own; the product's own tmpfs is below /run.
            if (row.kind == kDirectory && mount.mount_point != root.label() + paths::kStateDirectory &&
                !std::string_view(row.pattern).starts_with("/run/") &&
                (mount.mount_point == folder || mount.mount_point.starts_with(folder + "/")))
                return mount.mount_point;
        }
    return "";
}

bool any_present(const sys::Root& root, const std::vector<KnownPath>& known) {
    for (const KnownPath& row : known)
        if (!matches(root, row).empty())
            return true;
    return false;
}

std::vector<KnownPath> state_files() {
    std::vector<KnownPath> files;
    for (const KnownPath& row : product_files())
        if (row.kind == kFile && !std::string_view(row.pattern).starts_with("/run/"))
            files.push_back(row);
    return files;
}

} // namespace picket::install
