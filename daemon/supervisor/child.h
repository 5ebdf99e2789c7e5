#pragma once
#include <optional>
#include <string>
#include <sys/types.h>

#include <picket/base/result.h>
#include <picket/sandbox/privileges.h>

#include "child_spec.h"

namespace picket::supervisor {

/// Starts the program in a process group of its own, with a clean environment (PATH, LC_ALL, NOTIFY_SOCKET, and
/// WATCHDOG_USEC where it is watched), no descriptor but 0 (/dev/null), 1 and 2, as that user, to die with us. It does
/// not wait for the exec: under a gate that hangs that could take for ever. A program that cannot be run exits 127.
Result<pid_t> start_child(const ChildSpec& spec, const std::optional<sandbox::Identity>& user,
                          const std::string& notify_path);

/// A tmpfs at `directory` for that user (nodev, nosuid, noexec); a plain directory where we may not mount. True where
/// it was mounted here.
Result<bool> make_temporary_directory(const std::string& directory, const sandbox::Identity& user);

} // namespace picket::supervisor
