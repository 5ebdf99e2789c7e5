#pragma once
#include <array>

#include <picket/base/bytes.h>

namespace picket::crypto {

/// BLAKE2b without a key (RFC 7693). Ours because OpenSSL 3.0 has no 256-bit form, and minisign's key checksum is one.
std::array<Byte, 32> blake2b_256(ByteSpan bytes);
std::array<Byte, 64> blake2b_512(ByteSpan bytes);

} // namespace picket::crypto
