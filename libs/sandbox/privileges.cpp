#include <picket/sandbox/privileges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::sandbox {
namespace {

constexpr int kAmbient = 47;        // PR_CAP_AMBIENT, Linux 4.3
constexpr int kAmbientClearAll = 4; // PR_CAP_AMBIENT_CLEAR_ALL
constexpr int kHighestCapability = 63;

/// Without CAP_SETPCAP it stays: no_new_privs makes it worthless.
void drop_bounding_set() {
    for (int capability = 0; capability <= kHighestCapability; ++capability)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

Result<void> empty_capability_sets() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    if (syscall(SYS_capset, &header, none.data()) != 0)
        return Error::from_errno(errno, "dropping capabilities");
    return {};
}

enum class Reach { soft, soft_and_hard };

Result<void> set_limit(const ResourceLimit& limit, Reach reach) {
    const auto resource = static_cast<__rlimit_resource_t>(limit.resource);
    rlimit now{};
    if (getrlimit(resource, &now) != 0)
        return Error::from_errno(errno, fmt::format("reading resource limit {}", limit.resource));
    const rlim_t value = std::min<rlim_t>(limit.value, now.rlim_max);
    const rlimit wanted{value, reach == Reach::soft ? now.rlim_max : value};
    if (setrlimit(resource, &wanted) != 0)
        return Error::from_errno(errno, fmt::format("setting resource limit {}", limit.resource));
    return {};
}

} // namespace

Result<Identity> find_identity(std::string_view user) {
    if (const auto number = parse_unsigned(user); number && *number < UINT32_MAX)
        return Identity{static_cast<uid_t>(*number), static_cast<gid_t>(*number)};
    errno = 0;
    const passwd* const entry = getpwnam(std::string(user).c_str());
    if (entry == nullptr)
        return Error(ErrorCode::not_found, fmt::format("user {} does not exist", escape_for_display(user)));
    return Identity{entry->pw_uid, entry->pw_gid};
}

Result<void> become(const Identity& identity) {
    // Needs CAP_SETPCAP, which goes with the uid.
    drop_bounding_set();
    if (setgroups(0, nullptr) != 0)
        return Error::from_errno(errno, "dropping supplementary groups");
    if (setresgid(identity.gid, identity.gid, identity.gid) != 0)
        return Error::from_errno(errno, fmt::format("becoming group {}", identity.gid));
    if (setresuid(identity.uid, identity.uid, identity.uid) != 0)
        return Error::from_errno(errno, fmt::format("becoming user {}", identity.uid));
    if (identity.uid != 0 && (setuid(0) == 0 || geteuid() != identity.uid || getegid() != identity.gid))
        return Error(ErrorCode::internal, fmt::format("still able to be root after becoming user {}", identity.uid));
    return {};
}

Result<void> drop_all_capabilities() {
    drop_bounding_set();
    prctl(kAmbient, kAmbientClearAll, 0, 0, 0);
    PICKET_TRY(empty_capability_sets());
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return Error::from_errno(errno, "setting no_new_privs");
    return {};
}

Result<void> become_undumpable() {
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return Error::from_errno(errno, "becoming undumpable");
    return set_limits({{RLIMIT_CORE, 0}});
}

Result<void> die_with_parent(pid_t expected_parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return Error::from_errno(errno, "asking to die with the parent");
    if (getppid() != expected_parent)
        return Error(ErrorCode::cancelled, "the parent is already gone");
    return {};
}

Result<void> set_limits(const std::vector<ResourceLimit>& limits) {
    for (const ResourceLimit& limit : limits)
        PICKET_TRY(set_limit(limit, Reach::soft_and_hard));
    return {};
}

Result<void> set_soft_limits(const std::vector<ResourceLimit>& limits) {
    for (const ResourceLimit& limit : limits)
        PICKET_TRY(set_limit(limit, Reach::soft));
    return {};
}

} // namespace picket::sandbox
