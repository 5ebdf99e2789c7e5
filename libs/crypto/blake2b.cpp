#include <picket/crypto/blake2b.h>

#include <algorithm>
#include <bit>
#include <cstdint>

namespace picket::crypto {
namespace {

constexpr std::array<std::uint64_t, 8> kIv{0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                           0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                           0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
/// RFC 7693, 2.7; rounds 10 and 11 use rows 0 and 1 again.
constexpr std::array<std::array<std::uint8_t, 16>, 10> kSigma{{
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}};
/// Columns, then diagonals, of the 4 by 4 working vector.
constexpr std::array<std::array<std::uint8_t, 4>, 8> kMixes{{{0, 4, 8, 12},
                                                             {1, 5, 9, 13},
                                                             {2, 6, 10, 14},
                                                             {3, 7, 11, 15},
                                                             {0, 5, 10, 15},
                                                             {1, 6, 11, 12},
                                                             {2, 7, 8, 13},
                                                             {3, 4, 9, 14}}};
constexpr std::size_t kBlock = 128;

using State = std::array<std::uint64_t, 8>;

std::uint64_t load_little_endian(const Byte* bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i)
        value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
    return value;
}

void compress(State& state, const Byte* block, std::uint64_t counter, bool last) {
    std::array<std::uint64_t, 16> words{};
    for (std::size_t i = 0; i < words.size(); ++i)
        words[i] = load_little_endian(block + 8 * i);
    std::array<std::uint64_t, 16> v{};
    std::copy(state.begin(), state.end(), v.begin());
    std::copy(kIv.begin(), kIv.end(), v.begin() + 8);
    v[12] ^= counter; // the upper half of the counter stays 0: no message has 2^64 bytes
    if (last)
        v[14] = ~v[14];
    for (std::size_t round = 0; round < 12; ++round) {
        const auto& order = kSigma[round % 10];
        for (std::size_t i = 0; i < kMixes.size(); ++i) {
            const auto [a, b, c, d] = kMixes[i];
            v[a] += v[b] + words[order[2 * i]];
            v[d] = std::rotr(v[d] ^ v[a], 32);
            v[c] += v[d];
            v[b] = std::rotr(v[b] ^ v[c], 24);
            v[a] += v[b] + words[order[2 * i + 1]];
            v[d] = std::rotr(v[d] ^ v[a], 16);
            v[c] += v[d];
            v[b] = std::rotr(v[b] ^ v[c], 63);
        }
    }
    for (std::size_t i = 0; i < 8; ++i)
        state[i] ^= v[i] ^ v[i + 8];
}

template <std::size_t Size>
std::array<Byte, Size> blake2b(ByteSpan bytes) {
    State state = kIv;
    state[0] ^= 0x01010000U ^ Size;
    std::uint64_t counter = 0;
    while (bytes.size() > kBlock) { // the last block, even a full one, is treated apart
        counter += kBlock;
        compress(state, bytes.data(), counter, false);
        bytes = bytes.subspan(kBlock);
    }
    std::array<Byte, kBlock> block{};
    std::copy(bytes.begin(), bytes.end(), block.begin());
    compress(state, block.data(), counter + bytes.size(), true);
    std::array<Byte, Size> digest{};
    for (std::size_t i = 0; i < Size; ++i)
        digest[i] = static_cast<Byte>(state[i / 8] >> (8 * (i % 8)));
    return digest;
}

} // namespace

std::array<Byte, 32> blake2b_256(ByteSpan bytes) {
    return blake2b<32>(bytes);
}
std::array<Byte, 64> blake2b_512(ByteSpan bytes) {
    return blake2b<64>(bytes);
}

} // namespace picket::crypto
