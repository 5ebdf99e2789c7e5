#pragma once
#include <optional>
#include <string>

#include <picket/base/result.h>
#include <picket/crypto/secret.h>

namespace picket::onboarding {

/// The first line of a file that only its owner may read.
Result<crypto::Secret> passphrase_from_file(const std::string& path);
/// Asks on the controlling terminal, without echo; unavailable where there is none, cancelled on Ctrl-C.
Result<crypto::Secret> ask_passphrase(const std::string& prompt);
/// Twice, until both are equal.
Result<crypto::Secret> ask_new_passphrase();

} // namespace picket::onboarding
