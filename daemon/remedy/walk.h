#pragma once
#include <string>
#include <string_view>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::remedy {

struct Place {
    UniqueFd directory; ///< O_PATH; stays the same directory whatever its names become
    std::string name;   ///< last component
};

/// Opens the directory that holds `path` below `root`, following no link in any component: openat2 where the kernel has
/// it (5.6), else one O_NOFOLLOW step after the other. invalid_input: not absolute, "..", a trailing slash, NUL, too
/// long, a link on the way. not_found: no such directory.
Result<Place> find_place(int root, std::string_view path);

/// 128 random bits after `prefix`: a name nobody can take beforehand.
std::string random_name(std::string_view prefix);

} // namespace picket::remedy
