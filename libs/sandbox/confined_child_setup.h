#pragma once
#include <vector>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>
#include <picket/sandbox/confined_child.h>

/// What a confined child does to itself; inside libs/sandbox only.
namespace picket::sandbox {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

/// A directory that was removed right after it was opened: nothing is in it, and nothing can ever be made in it.
Result<UniqueFd> open_removed_directory();

struct Confinement {
    pid_t parent = 0;
    std::vector<int> descriptors; ///< stay open; read only by filter
    int output = -1;              ///< stays open; the only one that may be written
    int empty_root = -1;
    ConfinedLimits limits;
};
/// In the child, once. After success there is no way back.
Result<void> confine(const Confinement& confinement);
/// The same for run_networked: no descriptors, no other root directory.
Result<void> confine_to_network(const Confinement& confinement);

} // namespace picket::sandbox
