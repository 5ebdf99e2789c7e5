#include <picket/crypto/openpgp.h>

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <picket/base/check.h>
#include <picket/base/text.h>

namespace picket::crypto {
namespace {

constexpr std::string_view kBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
constexpr std::string_view kEnd = "-----END PGP PUBLIC KEY BLOCK-----";
constexpr std::size_t kMaximumCertificates = 64;
constexpr std::size_t kFingerprintDigits = 40;
constexpr std::size_t kArmorColumns = 64;

/// Packet tags (RFC 4880, 4.3).
enum Tag : unsigned {
    kSignature = 2,
    kSecretKey = 5,
    kPublicKey = 6,
    kSecretSubkey = 7,
    kTrust = 12,
    kUserId = 13,
    kPublicSubkey = 14,
    kUserAttribute = 17,
};

struct Packet {
    unsigned tag = 0;
    std::string_view body;
    std::size_t size = 0; ///< with its header
};

Error not_a_certificate(std::string_view why) {
    return Error(ErrorCode::invalid_input, fmt::format("no OpenPGP public key: {}", why));
}

/// `count` bytes, most significant first.
std::optional<std::size_t> number_at(std::string_view text, std::size_t offset, std::size_t count) {
    if (offset + count > text.size())
        return std::nullopt;
    std::size_t value = 0;
    for (const char byte : text.substr(offset, count))
        value = value << 8 | static_cast<Byte>(byte);
    return value;
}

struct Length {
    std::size_t header = 0; ///< bytes before the body
    std::size_t body = 0;
};

/// Bodies without a length of their own and bodies in parts do not occur in certificates.
std::optional<Length> new_length(std::string_view rest) {
    const auto first = number_at(rest, 1, 1);
    if (!first)
        return std::nullopt;
    if (*first < 192)
        return Length{2, *first};
    if (const auto second = number_at(rest, 2, 1); *first < 224 && second)
        return Length{3, ((*first - 192) << 8) + *second + 192};
    if (const auto whole = number_at(rest, 2, 4); *first == 255 && whole)
        return Length{6, *whole};
    return std::nullopt;
}

std::optional<Length> old_length(std::string_view rest, unsigned kind) {
    if (kind > 2)
        return std::nullopt;
    const std::size_t count = std::size_t{1} << kind;
    const auto value = number_at(rest, 1, count);
    return value ? std::optional(Length{1 + count, *value}) : std::nullopt;
}

Result<Packet> packet_at(std::string_view rest) {
    const unsigned head = static_cast<Byte>(rest.front());
    if ((head & 0x80U) == 0)
        return not_a_certificate("it is neither binary nor armored");
    const bool is_new = (head & 0x40U) != 0;
    const auto length = is_new ? new_length(rest) : old_length(rest, head & 3U);
    if (!length || length->header > rest.size() || length->body > rest.size() - length->header)
        return not_a_certificate("it is cut off or damaged");
    return Packet{.tag = is_new ? head & 0x3fU : head >> 2 & 0x0fU,
                  .body = rest.substr(length->header, length->body),
                  .size = length->header + length->body};
}

/// Of a key of version 4: SHA-1 over its packet, in one spelling of its header.
Result<std::string> fingerprint_of_key(std::string_view body) {
    if (body.empty() || body.front() != 4 || body.size() > 0xffff)
        return not_a_certificate("only keys of version 4 are known");
    std::string hashed{'\x99', static_cast<char>(body.size() >> 8), static_cast<char>(body.size())};
    hashed += body;
    std::array<Byte, 20> digest{};
    unsigned size = 0;
    if (EVP_Digest(hashed.data(), hashed.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1 ||
        size != digest.size())
        return Error(ErrorCode::unavailable,
                     "this host's OpenSSL has no SHA-1, which OpenPGP fingerprints are made of");
    std::string text = to_hex(digest);
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
}

bool may_follow_a_key(unsigned tag) {
    return tag == kSignature || tag == kUserId || tag == kPublicSubkey || tag == kUserAttribute || tag == kTrust;
}

Result<std::vector<OpenPgpCertificate>> parse_binary(std::string_view rest) {
    std::vector<OpenPgpCertificate> all;
    while (!rest.empty()) {
        const Packet packet = PICKET_TRY(packet_at(rest));
        if (packet.tag == kSecretKey || packet.tag == kSecretSubkey)
            return not_a_certificate("it holds a secret key; export the public one (gpg --export)");
        if (packet.tag == kPublicKey)
            all.push_back({PICKET_TRY(fingerprint_of_key(packet.body)), {}});
        else if (all.empty() || !may_follow_a_key(packet.tag))
            return not_a_certificate(fmt::format("it holds a packet of kind {}", packet.tag));
        if (all.size() > kMaximumCertificates)
            return not_a_certificate("it holds too many keys");
        all.back().bytes += rest.substr(0, packet.size);
        rest.remove_prefix(packet.size);
    }
    return all;
}

/// The base64 between headers and checksum, which only guards against accidents.
Result<std::string> body_of_armor(std::string_view block) {
    std::string base64;
    bool in_headers = true;
    for (const std::string_view line : split(block, '\n')) {
        const std::string_view text = trim(line);
        if (in_headers) {
            in_headers = !text.empty();
            continue;
        }
        if (text.starts_with('='))
            break;
        base64 += text;
    }
    const auto bytes = from_base64(base64);
    if (!bytes)
        return not_a_certificate("its armor is damaged");
    return std::string(as_text(*bytes));
}

Result<std::string> without_armor(std::string_view file) {
    std::string all;
    for (auto begin = file.find(kBegin); begin != std::string_view::npos; begin = file.find(kBegin, begin + 1)) {
        const auto end = file.find(kEnd, begin);
        if (end == std::string_view::npos)
            return not_a_certificate("its armor has no end");
        std::string_view block = file.substr(begin, end - begin);
        block.remove_prefix(std::min(block.size(), block.find('\n') + 1));
        all += PICKET_TRY(body_of_armor(block));
    }
    return all;
}

/// Older rpm wants it.
std::uint32_t crc24(std::string_view bytes) {
    std::uint32_t crc = 0xB704CE;
    for (const char byte : bytes) {
        crc ^= std::uint32_t{static_cast<Byte>(byte)} << 16;
        for (int i = 0; i < 8; ++i) {
            crc <<= 1;
            if ((crc & 0x1000000U) != 0)
                crc ^= 0x1864CFBU;
        }
    }
    return crc & 0xFFFFFFU;
}

} // namespace

Result<std::vector<OpenPgpCertificate>> parse_certificates(std::string_view file) {
    const bool armored = file.find(kBegin) != std::string_view::npos;
    const std::string dearmored = armored ? PICKET_TRY(without_armor(file)) : std::string();
    std::vector<OpenPgpCertificate> found = PICKET_TRY(parse_binary(armored ? std::string_view(dearmored) : file));
    std::vector<OpenPgpCertificate> all;
    for (OpenPgpCertificate& certificate : found)
        if (std::none_of(all.begin(), all.end(),
                         [&](const auto& known) { return known.fingerprint == certificate.fingerprint; }))
            all.push_back(std::move(certificate));
    if (all.empty())
        return not_a_certificate("it is empty");
    return all;
}

std::string to_armor(const OpenPgpCertificate& certificate) {
    const std::string base64 = to_base64(as_bytes(certificate.bytes));
    std::string text = std::string(kBegin) + "\n\n";
    for (std::size_t i = 0; i < base64.size(); i += kArmorColumns)
        text += base64.substr(i, kArmorColumns) + "\n";
    const std::uint32_t crc = crc24(certificate.bytes);
    const std::array<Byte, 3> sum{static_cast<Byte>(crc >> 16), static_cast<Byte>(crc >> 8), static_cast<Byte>(crc)};
    return text + "=" + to_base64(sum) + "\n" + std::string(kEnd) + "\n";
}

std::optional<std::string> fingerprint_of(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c == ' ' || c == ':')
            continue;
        if (std::isxdigit(static_cast<unsigned char>(c)) == 0)
            return std::nullopt;
        digits += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return digits.size() == kFingerprintDigits ? std::optional(digits) : std::nullopt;
}

} // namespace picket::crypto
