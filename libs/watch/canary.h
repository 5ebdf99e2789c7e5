#pragma once
#include <string>
#include <sys/stat.h>
#include <vector>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::watch {

struct Canary {
    UniqueFd file; ///< O_PATH: not opened yet
    struct stat status {};
};

/// A small regular file of the file system that `start` (a directory or a regular file) is on, found without following
/// a link and within a bounded look. not_found where there is none: an empty file system proves nothing. `never_asked`:
/// files by path that prove nothing either.
Result<Canary> find_canary(int start, const std::vector<std::string>& never_asked);
/// Opens it for reading, so that the kernel asks whoever watches. Denied is as good an answer as allowed.
Result<void> open_canary(const Canary& canary);

} // namespace picket::watch
