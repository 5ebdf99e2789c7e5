#pragma once
#include <map>
#include <string>
#include <string_view>

#include <picket/sys/file.h>

namespace picket::host {

/// The running kernel's build configuration.
struct KernelConfig {
    std::string source; ///< where it was read: "/proc/config.gz"
    std::string text;

    /// y or m. Nothing but "CONFIG_X=y" at the start of a line counts.
    bool is_enabled(std::string_view option) const;
};

/// /proc/config.gz, /boot/config-RELEASE, /lib/modules/RELEASE/{config,build/.config}, /usr/lib/modules/…/config; the
/// first that can be read. At most 4 MiB packed and 16 MiB unpacked. not_found where there is none; a damaged one is
/// passed over.
Result<KernelConfig> read_kernel_config(const sys::Root& root, std::string_view release);

/// One gzip member, at most `limit` bytes unpacked (exhausted); damaged is corrupt.
Result<std::string> gunzip(std::string_view packed, Bytes limit);

} // namespace picket::host
