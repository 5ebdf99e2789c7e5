#pragma once
#include <string>

#include <picket/base/result.h>
#include <picket/profile/authored.h>

namespace picket::cli {

/// Follows links as the caller may: it is the caller's own file. A pipe (<(command)) is fine, a device is not.
Result<std::string> read_profile(const std::string& path);

/// A file as people write it. An Error where it cannot be read.
Result<profile::Rendering> render_file(const std::string& path);
/// A file as a host reads it, with the place of every value.
Result<profile::Validation> validate_file(const std::string& path, profile::Layer layer);

} // namespace picket::cli
