#include <picket/crypto/minisign.h>

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <picket/base/text.h>
#include <picket/crypto/blake2b.h>
#include <picket/crypto/digest.h>
#include <picket/crypto/random.h>

#include "ed25519.h"
#include "minisign_text.h"

namespace picket::crypto {
namespace {

constexpr std::string_view kAlgorithm = "Ed";
constexpr std::string_view kScrypt = "Sc";
constexpr std::string_view kNoKdf{"\0\0", 2};
constexpr std::string_view kChecksum = "B2";

// Where things stand in the 158 bytes of a secret key file.
constexpr std::size_t kKdfAt = 2, kChecksumAlgorithmAt = 4, kSaltAt = 6, kOperationsAt = 38, kMemoryAt = 46, kIdAt = 54,
                      kKeyAt = 62, kChecksumAt = 126, kSecretFileSize = 158;
constexpr std::size_t kSaltSize = 32, kKeySize = 64, kChecksumSize = 32;

/// libsodium's limits for what we write: 2^18 blocks of 1 KiB.
constexpr std::uint64_t kOperations = 8'388'608;
constexpr std::uint64_t kMemory = 268'435'456;
/// The most that is accepted from a file: what minisign itself writes.
constexpr std::uint64_t kMaxOperations = 33'554'432;
constexpr std::uint64_t kMaxMemory = 1'073'741'824;

struct ScryptCost {
    std::uint64_t n = 0;
    std::uint64_t p = 1;
};

/// libsodium's rule from its two limits to scrypt's N and p, with r = 8.
ScryptCost scrypt_cost(std::uint64_t operations, std::uint64_t memory) {
    constexpr std::uint64_t kR = 8;
    operations = std::max<std::uint64_t>(operations, 32768);
    if (operations < memory / 32)
        return {std::bit_floor(std::max<std::uint64_t>(operations / (kR * 4), 2)), 1};
    const std::uint64_t n = std::bit_floor(std::max<std::uint64_t>(memory / (kR * 128), 2));
    return {n, std::max<std::uint64_t>(operations / 4 / n / kR, 1)};
}

std::uint64_t load64(ByteSpan bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i)
        value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
    return value;
}

void store64(std::span<Byte> into, std::uint64_t value) {
    for (std::size_t i = 0; i < 8; ++i)
        into[i] = static_cast<Byte>(value >> (8 * i));
}

/// Encrypts or decrypts id, key and checksum in place.
Result<void> apply_passphrase(std::span<Byte> file, std::string_view passphrase) {
    const std::uint64_t operations = load64(file.subspan(kOperationsAt, 8));
    const std::uint64_t memory = load64(file.subspan(kMemoryAt, 8));
    if (operations > kMaxOperations || memory > kMaxMemory)
        return Error(ErrorCode::invalid_input, "secret key file: asks for more work than minisign's own files do");
    const ScryptCost cost = scrypt_cost(operations, memory);
    Secret stream(kSecretFileSize - kIdAt);
    const ByteSpan salt = file.subspan(kSaltAt, kSaltSize);
    if (EVP_PBE_scrypt(passphrase.data(), passphrase.size(), salt.data(), salt.size(), cost.n, 8, cost.p,
                       kMaxMemory + (std::uint64_t{64} << 20), stream.bytes().data(), stream.size()) != 1)
        return Error(ErrorCode::exhausted, fmt::format("secret key: not enough memory for its passphrase ({} needed)",
                                                       to_human(Bytes{cost.n * 1024})));
    for (std::size_t i = 0; i < stream.size(); ++i)
        file[kIdAt + i] = static_cast<Byte>(file[kIdAt + i] ^ stream.bytes()[i]);
    return {};
}

std::array<Byte, 32> checksum_of(ByteSpan file) {
    Secret covered(2 + kChecksumAt - kIdAt);
    std::copy_n(file.begin(), 2, covered.bytes().begin());
    std::copy_n(file.begin() + kIdAt, kChecksumAt - kIdAt, covered.bytes().begin() + 2);
    return blake2b_256(covered.bytes());
}

Result<Secret> decode_secret_file(std::string_view text) {
    const auto lines = PICKET_TRY(lines_of(text, 2, "secret key file"));
    Secret file = PICKET_TRY(decode_line(lines[1], kSecretFileSize, "secret key file"));
    const std::string_view kdf = file.text().substr(kKdfAt, 2);
    if (file.text().substr(0, 2) != kAlgorithm || file.text().substr(kChecksumAlgorithmAt, 2) != kChecksum ||
        (kdf != kScrypt && kdf != kNoKdf))
        return Error(ErrorCode::invalid_input, "secret key file: not an Ed25519 key of minisign");
    return file;
}

bool is_encrypted(const Secret& file) {
    return file.text().substr(kKdfAt, 2) == kScrypt;
}

} // namespace

Result<std::vector<std::string_view>> lines_of(std::string_view text, std::size_t count, std::string_view kind) {
    const Error malformed(ErrorCode::invalid_input, fmt::format("{}: not in minisign's format", kind));
    if (text.size() > 4096)
        return malformed;
    auto lines = split(text, '\n');
    if (lines.back().empty())
        lines.pop_back();
    if (lines.size() != count)
        return malformed;
    for (std::string_view& line : lines)
        if (line.ends_with('\r'))
            line.remove_suffix(1);
    if (!lines[0].starts_with(kUntrustedPrefix))
        return malformed;
    return lines;
}

Result<Secret> decode_line(std::string_view line, std::size_t size, std::string_view kind) {
    auto bytes = from_base64(line);
    if (!bytes || bytes->size() != size)
        return Error(ErrorCode::invalid_input, fmt::format("{}: damaged base64, or of another kind", kind));
    Secret decoded{ByteSpan(*bytes)};
    cleanse(*bytes);
    return decoded;
}

std::string to_text(const KeyId& id) {
    std::string text;
    for (auto byte = id.rbegin(); byte != id.rend(); ++byte)
        text += fmt::format("{:02X}", *byte);
    return text;
}

Result<PublicKey> PublicKey::parse(std::string_view text) {
    std::string_view line = trim(text);
    if (line.find('\n') != std::string_view::npos)
        line = PICKET_TRY(lines_of(text, 2, "public key"))[1];
    const Secret bytes = PICKET_TRY(decode_line(line, 42, "public key"));
    if (bytes.text().substr(0, 2) != kAlgorithm)
        return Error(ErrorCode::invalid_input, "public key: not an Ed25519 key of minisign");
    PublicKey key;
    std::copy_n(bytes.bytes().begin() + 2, key.id.size(), key.id.begin());
    std::copy_n(bytes.bytes().begin() + 10, key.point.size(), key.point.begin());
    return key;
}

std::string PublicKey::to_base64() const {
    ByteVector bytes(kAlgorithm.begin(), kAlgorithm.end());
    bytes.insert(bytes.end(), id.begin(), id.end());
    bytes.insert(bytes.end(), point.begin(), point.end());
    return picket::to_base64(bytes);
}

std::string PublicKey::to_file_text() const {
    return fmt::format("{}minisign public key {}\n{}\n", kUntrustedPrefix, to_text(id), to_base64());
}

SecretKey SecretKey::generate() {
    KeyId id{};
    fill_random(id);
    Secret key(kKeySize);
    fill_random(key.bytes().first(32));
    const auto point = ed25519_public_point(key.bytes().first(32));
    std::copy(point.begin(), point.end(), key.bytes().begin() + 32);
    return {id, std::move(key)};
}

Result<bool> SecretKey::needs_passphrase(std::string_view file_text) {
    return is_encrypted(PICKET_TRY(decode_secret_file(file_text)));
}

Result<SecretKey> SecretKey::parse(std::string_view file_text, std::optional<std::string_view> passphrase) {
    Secret file = PICKET_TRY(decode_secret_file(file_text));
    const bool encrypted = is_encrypted(file);
    if (encrypted && !passphrase)
        return Error(ErrorCode::permission, "the secret key needs its passphrase");
    if (encrypted)
        PICKET_TRY(apply_passphrase(file.bytes(), *passphrase));
    const ByteSpan checksum = file.bytes().subspan(kChecksumAt, kChecksumSize);
    // minisign leaves it zero without a passphrase; then the comparison of the key's halves below has to do.
    const bool unchecked =
        !encrypted && std::all_of(checksum.begin(), checksum.end(), [](Byte byte) { return byte == 0; });
    if (!unchecked && !equal_constant_time(checksum_of(file.bytes()), checksum))
        return encrypted ? Error(ErrorCode::permission, "wrong passphrase for the secret key")
                         : Error(ErrorCode::corrupt, "the secret key file is damaged");
    KeyId id{};
    std::copy_n(file.bytes().begin() + kIdAt, id.size(), id.begin());
    Secret key{ByteSpan(file.bytes()).subspan(kKeyAt, kKeySize)};
    const auto point = ed25519_public_point(key.bytes().first(32));
    if (!std::equal(point.begin(), point.end(), key.bytes().begin() + 32))
        return Error(ErrorCode::corrupt, "the secret key file is damaged: its two halves do not fit");
    return SecretKey(id, std::move(key));
}

PublicKey SecretKey::public_key() const {
    PublicKey key;
    key.id = id_;
    std::copy_n(key_.bytes().begin() + 32, key.point.size(), key.point.begin());
    return key;
}

Result<Secret> SecretKey::to_file_text(std::optional<std::string_view> passphrase) const {
    Secret file(kSecretFileSize);
    const auto put = [&file](std::size_t at, ByteSpan bytes) {
        std::copy(bytes.begin(), bytes.end(), file.bytes().begin() + static_cast<std::ptrdiff_t>(at));
    };
    put(0, as_bytes(kAlgorithm));
    put(kKdfAt, as_bytes(passphrase ? kScrypt : kNoKdf));
    put(kChecksumAlgorithmAt, as_bytes(kChecksum));
    put(kIdAt, id_);
    put(kKeyAt, key_.bytes());
    put(kChecksumAt, checksum_of(file.bytes()));
    if (passphrase) {
        fill_random(file.bytes().subspan(kSaltAt, kSaltSize));
        store64(file.bytes().subspan(kOperationsAt, 8), kOperations);
        store64(file.bytes().subspan(kMemoryAt, 8), kMemory);
        PICKET_TRY(apply_passphrase(file.bytes(), *passphrase));
    }
    std::string encoded = picket::to_base64(file.bytes());
    std::string text =
        fmt::format("{}minisign {}secret key\n{}\n", kUntrustedPrefix, passphrase ? "encrypted " : "", encoded);
    Secret result{std::string_view(text)};
    cleanse(encoded);
    cleanse(text);
    return result;
}

} // namespace picket::crypto
