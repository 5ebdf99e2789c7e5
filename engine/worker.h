#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include <picket/base/unique_fd.h>
#include <picket/engine_core/engine.h>

#include "confinement.h"

namespace picket::engine {

/// One page shared by a zygote and one worker, and nobody else: until when the worker has to be done. A worker that
/// lies here harms itself only; the gate has its own deadline.
struct WorkerPage {
    std::atomic<std::int64_t> deadline_ms{0}; ///< of the monotonic clock; 0 = idle
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

/// How a worker ended, as its exit status; anything else is a crash.
enum class WorkerExit : int {
    finished = 0,     ///< asked to, or its share is done
    gate_gone = 10,   ///< the connection closed, or nobody read the answer
    bad_request = 11, ///< the gate sent what is no request
    not_confined = 12 ///< a sandbox layer failed to come into force: it scans nothing
};

struct WorkerSetup {
    pid_t zygote = 0;
    UniqueFd gate;
    UniqueFd scratch; ///< an empty directory of its own
    std::string scratch_path;
    std::string generation;
    MemoryUsage usage;
    WorkerPage* page = nullptr;
    engine_core::Engine* engine = nullptr;
};

/// The life of a worker, in a process just forked: confines itself, greets the gate, answers one request after the
/// other, ends. SIGTERM lets it finish the request at hand.
[[noreturn]] void run_worker(WorkerSetup setup);

/// What all processes of the engine measure time by.
std::int64_t monotonic_ms();

} // namespace picket::engine
