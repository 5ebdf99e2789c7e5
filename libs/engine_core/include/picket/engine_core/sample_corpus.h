#pragma once
#include <functional>
#include <string>
#include <vector>

#include <picket/base/unique_fd.h>
#include <picket/engine_core/engine.h>

/// What a set of definitions must get right before it may judge anything on this host. A set that loads is not yet a
/// set that scans: ClamAV #923 passed the load test and crashed later, CrowdStrike's 291 likewise.
namespace picket::engine_core {

struct Sample {
    std::string name;
    std::string content;
    Verdict expected = Verdict::clean;
};

/// EICAR, plain and in a zip, must be found; small honest files of many formats must be clean.
std::vector<Sample> sample_corpus();

/// Files of the running system that must not be called malicious: a set that condemns the C library would stop the
/// host.
struct TrustedFile {
    std::string name;
    UniqueFd fd;
};
/// Our own programs, what the host starts and is reached by, and the libraries in this process, but for the largest.
/// Call it before the sandbox closes.
std::vector<TrustedFile> open_own_files();

/// Scans everything; the first wrong answer is corrupt and says which. `before_each` is called with the name of what
/// comes next, so that a watcher can tell on what it crashed or hung. Only in a child of its own.
Result<void> check_samples(Engine& engine, const std::vector<TrustedFile>& own_files,
                           const std::function<void(const std::string&)>& before_each);

} // namespace picket::engine_core
