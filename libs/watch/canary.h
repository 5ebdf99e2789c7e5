#pragma once
#include <sys/stat.h>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::watch {

struct Canary {
    UniqueFd file; ///< O_PATH: not opened yet
    struct stat status {};
};

/// A small regular file of the file system that `start` (a directory or a regular file) is on, found without following
/// a link and within a bounded look. not_found where there is none: an empty file system proves nothing.
Result<Canary> find_canary(int start);
/// Opens it for reading, so that the kernel asks whoever watches. Denied is as good an answer as allowed.
Result<void> open_canary(const Canary& canary);

} // namespace picket::watch
