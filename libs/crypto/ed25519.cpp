#include "ed25519.h"

#include <memory>

#include <openssl/evp.h>
#include <picket/base/check.h>

namespace picket::crypto {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Key private_key(ByteSpan seed) {
    Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()), EVP_PKEY_free);
    PICKET_CHECK(key != nullptr);
    return key;
}

DigestContext new_context() {
    DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    PICKET_CHECK(context != nullptr);
    return context;
}

} // namespace

std::array<Byte, 32> ed25519_public_point(ByteSpan seed) {
    const Key key = private_key(seed);
    std::array<Byte, 32> point{};
    std::size_t size = point.size();
    PICKET_CHECK(EVP_PKEY_get_raw_public_key(key.get(), point.data(), &size) == 1 && size == point.size());
    return point;
}

Ed25519Signature ed25519_sign(ByteSpan seed, ByteSpan message) {
    const Key key = private_key(seed);
    const DigestContext context = new_context();
    Ed25519Signature signature{};
    std::size_t size = signature.size();
    PICKET_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
    PICKET_CHECK(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1);
    PICKET_CHECK(size == signature.size());
    return signature;
}

bool ed25519_verify(ByteSpan point, ByteSpan message, ByteSpan signature) {
    const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, point.data(), point.size()), EVP_PKEY_free);
    if (!key)
        return false;
    const DigestContext context = new_context();
    return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
}

} // namespace picket::crypto
