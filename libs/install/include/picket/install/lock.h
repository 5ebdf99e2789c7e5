#pragma once
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>
#include <picket/sys/file.h>

namespace picket::install {

/// One picket-installer at a time: flock on /run/picket-installer.lock, released with the process. Not inherited by
/// what is started. conflict = another one runs (the message names its pid).
Result<UniqueFd> take_lock(const sys::Root& root);

} // namespace picket::install
