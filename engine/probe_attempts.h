#pragma once
#include <vector>

namespace picket::engine {

struct Attempt {
    const char* name;
    bool (*succeeds)(); ///< true = out; false with errno
};

/// Ways out of a worker. Each undoes what it achieves where it can: the probe runs them without a sandbox as well, to
/// show which layer holds. They only do what an unprivileged user may do to itself.
const std::vector<Attempt>& breakout_attempts();

} // namespace picket::engine
