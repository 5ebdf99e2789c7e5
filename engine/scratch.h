#pragma once
#include <string>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

/// Directories for what archives unpack to. What lies in them was written by a process that read hostile input: links
/// are removed, never followed, and everything is reached through descriptors.
namespace picket::engine {

/// Opens (O_RDONLY) the directory at an absolute path.
Result<UniqueFd> open_directory(const std::string& path);
Result<UniqueFd> make_directory(int parent, const std::string& name);

bool is_empty_directory(int directory);
/// Removes everything below; exhausted above a depth or number that no honest worker reaches.
Result<void> empty_directory(int directory);
Result<void> remove_directory(int parent, const std::string& name);

} // namespace picket::engine
