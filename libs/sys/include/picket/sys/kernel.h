#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <picket/base/result.h>

namespace picket::sys {

/// A kernel release as uname -r says it: "3.10.0-327.el7.x86_64", "4.4.0-21-generic", "6.1".
struct KernelRelease {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t patch = 0;
    /// The number directly behind the first '-', where there is one: 327 in 3.10.0-327.el7. Distributions count their
    /// backports with it, so it compares only between kernels of one base version.
    std::optional<std::uint64_t> build;
    std::string text; ///< as it was given

    /// major.minor.patch alone, as upstream counts.
    std::strong_ordering compare_base(const KernelRelease& other) const;
};

/// At most 64 bytes (what utsname holds) of printable ASCII that begin with MAJOR.MINOR[.PATCH]. Anything else is
/// invalid_input, and the message shows the text. A newline at the end (as /proc/sys/kernel/osrelease has) is ignored.
Result<KernelRelease> parse_kernel_release(std::string_view text);

/// The oldest kernel that Picket runs on: fanotify's permission events as RHEL 7.2 has them.
inline constexpr std::string_view kMinimumKernel = "3.10.0-327";

/// True from 3.10.0-327 on. The build number counts for 3.10.0 itself only: a 3.10.0 that names none is too old, and
/// 4.4.0-21 is new enough.
bool meets_minimum_kernel(const KernelRelease& release);

/// Of the running kernel.
std::string running_kernel_release();
/// Of the running kernel: "x86_64".
std::string running_machine();

} // namespace picket::sys
