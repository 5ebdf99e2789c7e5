#include <picket/crypto/minisign.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/blake2b.h>

#include "ed25519.h"
#include "minisign_text.h"

namespace picket::crypto {
namespace {

constexpr std::string_view kPrehashed = "ED";
constexpr std::string_view kLegacy = "Ed";
constexpr std::size_t kMaxComment = 512;

struct Signature {
    bool prehashed = true;
    KeyId id{};
    Ed25519Signature signature{};
    Ed25519Signature global{}; ///< over signature and trusted comment
    std::string trusted_comment;
};

Result<Signature> parse_signature(std::string_view text) {
    const auto lines = PICKET_TRY(lines_of(text, 4, "signature"));
    const Secret body = PICKET_TRY(decode_line(lines[1], 74, "signature"));
    const Secret global = PICKET_TRY(decode_line(lines[3], 64, "signature"));
    const std::string_view algorithm = body.text().substr(0, 2);
    if (!lines[2].starts_with(kTrustedPrefix) || (algorithm != kPrehashed && algorithm != kLegacy))
        return Error(ErrorCode::invalid_input, "signature: not in minisign's format");
    Signature signature;
    signature.prehashed = algorithm == kPrehashed;
    signature.trusted_comment = lines[2].substr(kTrustedPrefix.size());
    std::copy_n(body.bytes().begin() + 2, signature.id.size(), signature.id.begin());
    std::copy_n(body.bytes().begin() + 10, signature.signature.size(), signature.signature.begin());
    std::copy_n(global.bytes().begin(), signature.global.size(), signature.global.begin());
    return signature;
}

ByteVector globally_signed(const Ed25519Signature& signature, std::string_view trusted_comment) {
    ByteVector bytes(signature.begin(), signature.end());
    bytes.insert(bytes.end(), trusted_comment.begin(), trusted_comment.end());
    return bytes;
}

bool is_good_comment(std::string_view comment) {
    return comment.size() <= kMaxComment && escape_for_display(comment) == comment;
}

} // namespace

Result<std::string> SecretKey::sign(ByteSpan message, std::string_view trusted_comment,
                                    std::string_view untrusted_comment) const {
    if (!is_good_comment(trusted_comment) || !is_good_comment(untrusted_comment))
        return Error(ErrorCode::invalid_input, "a signature's comment must be one printable line of at most 512 bytes");
    const ByteSpan seed = key_.bytes().first(32);
    const auto signature = ed25519_sign(seed, blake2b_512(message));
    ByteVector body(kPrehashed.begin(), kPrehashed.end());
    body.insert(body.end(), id_.begin(), id_.end());
    body.insert(body.end(), signature.begin(), signature.end());
    const auto global = ed25519_sign(seed, globally_signed(signature, trusted_comment));
    return fmt::format("{}{}\n{}\n{}{}\n{}\n", kUntrustedPrefix, untrusted_comment, to_base64(body), kTrustedPrefix,
                       trusted_comment, to_base64(global));
}

Result<std::string> verify_signature(const PublicKey& key, ByteSpan message, std::string_view signature_text) {
    Signature signature = PICKET_TRY(parse_signature(signature_text));
    if (signature.id != key.id)
        return Error(ErrorCode::conflict,
                     fmt::format("signed with key {}, not with {}", to_text(signature.id), to_text(key.id)));
    const bool genuine = signature.prehashed ? ed25519_verify(key.point, blake2b_512(message), signature.signature)
                                             : ed25519_verify(key.point, message, signature.signature);
    if (!genuine)
        return Error(ErrorCode::corrupt,
                     fmt::format("the signature of key {} does not fit: the content was changed", to_text(key.id)));
    if (!ed25519_verify(key.point, globally_signed(signature.signature, signature.trusted_comment), signature.global))
        return Error(ErrorCode::corrupt, "the signature's trusted comment was changed");
    return std::move(signature.trusted_comment);
}

Result<KeyId> signer_of(std::string_view signature_text) {
    return PICKET_TRY(parse_signature(signature_text)).id;
}

} // namespace picket::crypto
