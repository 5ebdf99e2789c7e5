#pragma once
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket {

using Byte = std::uint8_t;
using ByteSpan = std::span<const Byte>;
using ByteVector = std::vector<Byte>;

/// A size in bytes, so that no bare number is mistaken for MiB or for a count.
struct Bytes {
    std::uint64_t count = 0;
    auto operator<=>(const Bytes&) const = default;
};
constexpr Bytes kibibytes(std::uint64_t n) {
    return Bytes{n << 10};
}
constexpr Bytes mebibytes(std::uint64_t n) {
    return Bytes{n << 20};
}
constexpr Bytes gibibytes(std::uint64_t n) {
    return Bytes{n << 30};
}

inline ByteSpan as_bytes(std::string_view text) {
    return {reinterpret_cast<const Byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteSpan bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// "512 B", "1.5 MiB"
std::string to_human(Bytes size);

} // namespace picket
