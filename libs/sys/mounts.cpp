#include <picket/sys/mounts.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include <picket/base/text.h>
#include <picket/sys/file.h>

namespace picket::sys {
namespace {

/// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescape_octal(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto is_octal = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
        if (text[i] == '\\' && i + 3 < text.size() && is_octal(i + 1) && is_octal(i + 2) && is_octal(i + 3)) {
            plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

bool Mount::has_option(std::string_view option) const {
    const auto parts = split(options, ',');
    return std::find(parts.begin(), parts.end(), option) != parts.end();
}

std::vector<Mount> parse_mountinfo(std::string_view text) {
    std::vector<Mount> mounts;
    for (const std::string_view line : split(text, '\n')) {
        const auto fields = split(line, ' ');
        const auto dash = std::find(fields.begin(), fields.end(), "-");
        if (fields.size() < 10 || dash == fields.end() || fields.end() - dash < 4)
            continue;
        const auto id = parse_unsigned(fields[0]);
        const auto parent = parse_unsigned(fields[1]);
        const auto numbers = split(fields[2], ':');
        const auto major = numbers.size() == 2 ? parse_unsigned(numbers[0]) : std::nullopt;
        const auto minor = numbers.size() == 2 ? parse_unsigned(numbers[1]) : std::nullopt;
        if (!id || !parent || !major || !minor)
            continue;
        Mount mount;
        mount.id = static_cast<int>(*id);
        mount.parent_id = static_cast<int>(*parent);
        mount.major = static_cast<unsigned>(*major);
        mount.minor = static_cast<unsigned>(*minor);
        mount.root = unescape_octal(fields[3]);
        mount.mount_point = unescape_octal(fields[4]);
        mount.options = fields[5];
        mount.type = dash[1];
        mount.source = unescape_octal(dash[2]);
        mount.super_options = dash[3];
        mounts.push_back(std::move(mount));
    }
    return mounts;
}

namespace {

bool is_at_or_below(std::string_view path, std::string_view folder) {
    if (folder == "/")
        return true;
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

/// Whether a walk from the top comes to the root of `mount`, and not to what lies over it.
class Reachability {
  public:
    explicit Reachability(const std::vector<Mount>& mounts) {
        for (const Mount& mount : mounts) {
            by_id_.emplace(mount.id, &mount);
            by_parent_.emplace(mount.parent_id, &mount);
        }
    }
    bool reachable(const Mount& mount) const {
        if (covered(mount.id, mount.mount_point, mount))
            return false;
        // A chain longer than the table would be a circle.
        const Mount* at = &mount;
        for (std::size_t steps = 0; steps <= by_id_.size(); ++steps) {
            const auto parent = by_id_.find(at->parent_id);
            if (parent == by_id_.end() || parent->second == at)
                return true;
            if (covered(at->parent_id, at->mount_point, *at))
                return false;
            at = parent->second;
        }
        return false;
    }

  private:
    /// Whether something else that is mounted on the mount `parent` lies on the way to `path`.
    bool covered(int parent, std::string_view path, const Mount& but) const {
        const auto [first, last] = by_parent_.equal_range(parent);
        return std::any_of(first, last, [&](const auto& child) {
            return child.second->id != but.id && is_at_or_below(path, child.second->mount_point);
        });
    }
    std::unordered_map<int, const Mount*> by_id_;
    std::unordered_multimap<int, const Mount*> by_parent_;
};

} // namespace

std::vector<Mount> mounts_now() {
    const auto text = read_kernel_file("/proc/self/mountinfo", mebibytes(16));
    return text ? parse_mountinfo(*text) : std::vector<Mount>();
}

std::vector<Mount> reachable(const std::vector<Mount>& mounts) {
    const Reachability reachability(mounts);
    std::vector<Mount> found;
    for (const Mount& mount : mounts)
        if (reachability.reachable(mount))
            found.push_back(mount);
    return found;
}

bool is_pseudo_filesystem(std::string_view type) {
    static constexpr std::array<std::string_view, 27> kNames{
        "proc",      "sysfs",    "cgroup",       "cgroup2", "devpts",   "securityfs", "debugfs",
        "tracefs",   "configfs", "bpf",          "pstore",  "efivarfs", "mqueue",     "autofs",
        "hugetlbfs", "nsfs",     "pipefs",       "sockfs",  "fusectl",  "rpc_pipefs", "binfmt_misc",
        "selinuxfs", "devtmpfs", "anon_inodefs", "smackfs", "rootfs",   "nfsd"};
    return contains(kNames, type);
}

bool is_remote_filesystem(std::string_view type) {
    static constexpr std::array<std::string_view, 15> kNames{"nfs",  "nfs4",    "cifs",  "smb3",     "smbfs",
                                                             "fuse", "fuseblk", "9p",    "ceph",     "glusterfs",
                                                             "afs",  "gfs2",    "ocfs2", "virtiofs", "lustre"};
    return contains(kNames, type) || type.starts_with("fuse.") || type.starts_with("fuseblk.");
}

} // namespace picket::sys
