#pragma once
#include <string>
#include <sys/types.h>
#include <vector>

#include <picket/host/check.h>
#include <picket/sys/mounts.h>

#include "fanotify_probe.h"

namespace picket::host {

/// What a check may look at. Kernel files are read through `root` as well, so that a tree of files stands in for a
/// host.
struct CheckContext {
    const CheckOptions& options;
    const HostFacts& facts;
    bool live = true; ///< `options.root` is the running host: the running kernel speaks about it
    uid_t euid = 0;
    std::vector<sys::Mount> mounts; ///< of the running host, "" where it is not `live`
    FanotifyProbe* probe = nullptr; ///< nullptr where it was not started

    const sys::Root& root() const { return options.root; }
};

/// The part of an answer that a check decides.
struct Answer {
    CheckStatus status = CheckStatus::pass;
    std::string observed;
    std::string required = {};
    std::string fix = {};
    /// Where it is not the one of the table.
    std::optional<InstallerExit> exit_code = {};
};
Answer skip(std::string reason);
/// Of a check that only the running kernel can answer.
Answer skip_offline();

Answer check_root(const CheckContext& context);
Answer check_architecture(const CheckContext& context);
Answer check_distro(const CheckContext& context);
Answer check_kernel(const CheckContext& context);
Answer check_memory(const CheckContext& context);
Answer check_clock(const CheckContext& context);
Answer check_service_manager(const CheckContext& context);
Answer check_security_module(const CheckContext& context);
Answer check_secure_boot(const CheckContext& context);
Answer check_container(const CheckContext& context);

Answer check_fanotify_compiled(const CheckContext& context);
Answer check_fanotify_permission_events(const CheckContext& context);
Answer check_fanotify_usable(const CheckContext& context);
Answer check_fanotify_conflict(const CheckContext& context);

Answer check_disk_space(const CheckContext& context);
Answer check_disk_inodes(const CheckContext& context);
Answer check_mount_noexec(const CheckContext& context);
Answer check_filesystems(const CheckContext& context);
Answer check_immutable_root(const CheckContext& context);

Answer check_package_manager_idle(const CheckContext& context);
Answer check_package_manager_consistent(const CheckContext& context);
Answer check_product_installed(const CheckContext& context);

} // namespace picket::host
