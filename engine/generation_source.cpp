#include "generation_source.h"

#include <fmt/format.h>

namespace picket::engine {
namespace {

Result<GenerationOnDisk> find(const std::string& definitions_directory,
                              Result<std::string> (definitions::Store::*named)() const) {
    const sys::Root root = PICKET_TRY(sys::Root::open("/"));
    const definitions::Store store(root, definitions_directory);
    GenerationOnDisk generation;
    generation.id.name = PICKET_TRY((store.*named)());
    generation.directory = store.path_of(generation.id.name);
    const struct stat status = PICKET_TRY(root.status(generation.directory));
    generation.id.inode = status.st_ino;
    generation.id.changed_ns = status.st_ctim.tv_sec * 1'000'000'000LL + status.st_ctim.tv_nsec;
    generation.files = PICKET_TRY(store.files_of(generation.id.name));
    if (generation.files.empty())
        return Error(ErrorCode::corrupt, fmt::format("generation {} has no definition file", generation.id.name));
    return generation;
}

} // namespace

Result<GenerationOnDisk> find_current_generation(const std::string& definitions_directory) {
    return find(definitions_directory, &definitions::Store::current);
}

Result<GenerationOnDisk> find_candidate_generation(const std::string& definitions_directory) {
    return find(definitions_directory, &definitions::Store::candidate);
}

} // namespace picket::engine
