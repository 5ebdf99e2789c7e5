#include "capabilities.h"

#include <array>
#include <cerrno>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace picket::daemon {
namespace {

constexpr int kAmbient = 47;        // PR_CAP_AMBIENT, Linux 4.3
constexpr int kAmbientClearAll = 4; // PR_CAP_AMBIENT_CLEAR_ALL
constexpr int kHighestCapability = 63;

using CapabilitySets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

bool contains(std::initializer_list<int> set, int capability) {
    for (const int each : set)
        if (each == capability)
            return true;
    return false;
}

void shrink_bounding_set(std::initializer_list<int> kept) {
    for (int capability = 0; capability <= kHighestCapability; ++capability)
        if (!contains(kept, capability) && prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1)
            (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); // without CAP_SETPCAP: no_new_privs has to do
}

} // namespace

Result<void> keep_only_capabilities(std::initializer_list<int> kept) {
    shrink_bounding_set(kept);
    (void)prctl(kAmbient, kAmbientClearAll, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    CapabilitySets sets{};
    if (syscall(SYS_capget, &header, sets.data()) != 0)
        return Error::from_errno(errno, "capget");
    CapabilitySets wanted{};
    for (const int capability : kept) {
        const auto word = static_cast<std::size_t>(capability) / 32;
        const std::uint32_t bit = 1U << (static_cast<unsigned>(capability) % 32);
        wanted[word].permitted |= sets[word].permitted & bit;
        wanted[word].effective |= sets[word].permitted & bit;
    }
    if (syscall(SYS_capset, &header, wanted.data()) != 0)
        return Error::from_errno(errno, "capset");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 && errno != EINVAL) // EINVAL: before 3.5
        return Error::from_errno(errno, "no_new_privs");
    return {};
}

} // namespace picket::daemon
