#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <picket/definitions/store.h>

namespace picket::engine {

/// One generation as it is on disk: the directory's times are part of it, so that a repaired one is another.
struct GenerationId {
    std::string name;
    std::uint64_t inode = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const GenerationId&) const = default;
};

struct GenerationOnDisk {
    GenerationId id;
    std::string directory; ///< absolute
    std::vector<std::string> files;
};

/// What `current` names now. An error says why nothing can be loaded.
Result<GenerationOnDisk> find_current_generation(const std::string& definitions_directory);
/// What `candidate` names.
Result<GenerationOnDisk> find_candidate_generation(const std::string& definitions_directory);

} // namespace picket::engine
