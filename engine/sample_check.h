#pragma once
#include <string>
#include <vector>

#include <picket/base/clock.h>
#include <picket/engine_core/sample_corpus.h>

#include "confinement.h"

namespace picket::engine {

/// Lets a child, confined as a worker is, scan the sample corpus with these definitions. An error says what was wrong:
/// an answer, a crash or a hang, and on which sample.
Result<void> check_in_child(engine_core::Engine& engine, const std::vector<engine_core::TrustedFile>& own_files,
                            int scratch, const std::string& scratch_path, const MemoryUsage& usage,
                            Milliseconds time_limit);

} // namespace picket::engine
