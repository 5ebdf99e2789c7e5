#include <picket/release_keys/release_keys.h>

#include "release_keys_generated.h"

namespace picket {

std::vector<crypto::PublicKey> release_public_keys() {
    std::vector<crypto::PublicKey> keys;
    for (const char* text : kReleasePublicKeys)
        keys.push_back(crypto::PublicKey::parse(text).value()); // picket-bundle wrote them
    return keys;
}

} // namespace picket
