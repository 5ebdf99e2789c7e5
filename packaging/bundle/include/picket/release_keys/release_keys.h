#pragma once
#include <vector>

#include <picket/crypto/minisign.h>

namespace picket {

/// The keys that this build accepts bundles from: the one in use and the next one. Compiled in; their secret halves
/// stay where the build made them, outside of the tree.
std::vector<crypto::PublicKey> release_public_keys();

} // namespace picket
