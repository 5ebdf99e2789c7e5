#pragma once
#include <string>
#include <string_view>

#include <picket/base/result.h>
#include <picket/crypto/secret.h>

namespace picket::crypto {

/// Makes `path` with mode 0600, whole or not at all; where something is there already it is conflict, and stays.
Result<void> write_new_secret_file(const std::string& path, std::string_view content);
/// A regular file that only its owner may read (else permission), at most 64 KiB.
Result<Secret> read_secret_file(const std::string& path);

} // namespace picket::crypto
