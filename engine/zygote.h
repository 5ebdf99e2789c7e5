#pragma once
#include <string>
#include <sys/types.h>
#include <vector>

#include <picket/base/unique_fd.h>

namespace picket::engine {

struct ZygoteSetup {
    pid_t supervisor = 0;
    UniqueFd channel; ///< to the supervisor
    UniqueFd scratch; ///< an empty directory of its own
    std::string scratch_path;
    std::string generation;
    std::string directory; ///< of the generation
    std::vector<std::string> files;
    std::string gate_socket;
};

/// The life of a zygote, in a process just forked: loads one generation, has a child check it, then keeps workers. It
/// scans nothing itself: libclamav starts threads on images, and a child forked afterwards would hang.
[[noreturn]] void run_zygote(ZygoteSetup setup);

} // namespace picket::engine
