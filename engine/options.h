#pragma once
#include <optional>
#include <string>

#include <picket/base/result.h>
#include <picket/model/paths.h>

namespace picket::engine {

struct Options {
    std::string socket = paths::kEngineSocket;
    std::string definitions = paths::kDefinitionsDirectory;
    std::string temporary_directory = paths::kEngineTemporaryDirectory;
    std::string user = paths::kEngineUser; ///< only where it starts as root
    unsigned workers = 0;                  ///< 0 = by the number of processors; the gate may change it later
    bool once = false;                     ///< ends when the gate goes, instead of waiting for the next
    bool sequential_reload = false;        ///< never two sets of definitions in memory
    bool probe_sandbox = false;
    bool help = false;
    bool version = false;
};

Result<Options> parse_options(int count, const char* const* arguments);
std::string usage();

} // namespace picket::engine
