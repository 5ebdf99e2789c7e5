#pragma once
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace picket::sys {

/// One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
struct Mount {
    int id = 0;
    int parent_id = 0;
    unsigned major = 0;
    unsigned minor = 0;
    std::string root;        ///< path inside the file system, unescaped
    std::string mount_point; ///< unescaped
    std::string options;     ///< per-mount options: rw,noexec,…
    std::string type;        ///< ext4, tmpfs, fuse.sshfs …
    std::string source;
    std::string super_options;

    bool has_option(std::string_view option) const;
};

/// Lines that are not understood are left out: the kernel may add fields.
std::vector<Mount> parse_mountinfo(std::string_view text);

/// Of this process's namespace, as they are now; none where that cannot be read.
std::vector<Mount> mounts_now();

/// Without those that no path leads to, because something is mounted over them.
std::vector<Mount> reachable(const std::vector<Mount>& mounts);

/// File systems without content of their own (proc, sysfs, cgroup2, devpts …): never marked, never scanned.
bool is_pseudo_filesystem(std::string_view type);
/// Reached over a network or served by a user process: others may write unseen by this kernel.
bool is_remote_filesystem(std::string_view type);

} // namespace picket::sys
