#pragma once
#include <array>

#include <picket/base/bytes.h>
#include <picket/crypto/secret.h>

/// Ed25519 on raw keys; inside libs/crypto only.
namespace picket::crypto {

using Ed25519Signature = std::array<Byte, 64>;

std::array<Byte, 32> ed25519_public_point(ByteSpan seed);
Ed25519Signature ed25519_sign(ByteSpan seed, ByteSpan message);
bool ed25519_verify(ByteSpan point, ByteSpan message, ByteSpan signature);

} // namespace picket::crypto
