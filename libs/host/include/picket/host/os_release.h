#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/result.h>
#include <picket/sys/file.h>

namespace picket::host {

/// What os-release(5) says. Fields that are not there are empty; values are as written, so escape them for display.
struct OsRelease {
    std::string id;                   ///< lower case; "linux" where there is none, as os-release(5) says
    std::vector<std::string> id_like; ///< lower case, nearest first
    std::string name;
    std::string pretty_name;
    std::string version;
    std::string version_id;
    std::string version_codename;
    std::string variant_id;

    /// One line for people: "Debian GNU/Linux 12 (bookworm)", escaped for display, at most 100 bytes.
    std::string label() const;
};

/// Shell-like KEY=VALUE lines; comments and lines that are no assignment are left out, the last of two equal keys
/// counts. A NUL byte, or not one assignment, is invalid_input: that is no os-release.
Result<OsRelease> parse_os_release(std::string_view text);

/// /etc/os-release, else /usr/lib/os-release, at most 64 KiB. Links are followed, but never out of `root`.
/// not_found where there is neither.
Result<OsRelease> read_os_release(const sys::Root& root);

} // namespace picket::host
