#include <picket/crypto/random.h>

#include <climits>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <picket/base/check.h>
#include <picket/base/text.h>
#include <picket/crypto/secret.h>

namespace picket::crypto {

void cleanse(std::span<Byte> bytes) {
    if (!bytes.empty())
        OPENSSL_cleanse(bytes.data(), bytes.size());
}
void cleanse(std::string& text) {
    if (!text.empty())
        OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

void fill_random(std::span<Byte> bytes) {
    PICKET_CHECK(bytes.size() <= INT_MAX && RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
}

ByteVector random_bytes(std::size_t size) {
    ByteVector bytes(size);
    fill_random(bytes);
    return bytes;
}

std::string random_uuid() {
    ByteVector bytes = random_bytes(16);
    bytes[6] = static_cast<Byte>((bytes[6] & 0x0fU) | 0x40U);
    bytes[8] = static_cast<Byte>((bytes[8] & 0x3fU) | 0x80U);
    std::string text = to_hex(bytes);
    for (const std::size_t at : {8U, 13U, 18U, 23U})
        text.insert(at, 1, '-');
    return text;
}

} // namespace picket::crypto
