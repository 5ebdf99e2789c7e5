#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include <picket/base/bytes.h>
#include <picket/base/result.h>
#include <picket/crypto/secret.h>

/// Ed25519 keys and signatures in the file formats of minisign(1), so that anybody can check ours with that program.
namespace picket::crypto {

using KeyId = std::array<Byte, 8>;
/// As minisign shows it: 16 upper-case hexadecimal digits.
std::string to_text(const KeyId& id);

struct PublicKey {
    KeyId id{};
    std::array<Byte, 32> point{};

    /// One line of base64 ("RW…") or a whole .pub file. Anything else is invalid_input.
    static Result<PublicKey> parse(std::string_view text);
    std::string to_base64() const;
    std::string to_file_text() const;
    bool operator==(const PublicKey&) const = default;
};

/// A signing key; its memory is wiped when it goes.
class SecretKey {
  public:
    static SecretKey generate();
    /// A whole secret key file. A file that needs a passphrase and gets none, or a wrong one, is permission; damage is
    /// corrupt; what is no such file is invalid_input.
    static Result<SecretKey> parse(std::string_view file_text, std::optional<std::string_view> passphrase = {});
    static Result<bool> needs_passphrase(std::string_view file_text);

    PublicKey public_key() const;
    /// With a passphrase the key is encrypted by scrypt (256 MiB, about a second).
    Result<Secret> to_file_text(std::optional<std::string_view> passphrase = {}) const;
    /// Text of a .minisig file. The comments must be one printable line of at most 512 bytes; the trusted one is
    /// signed.
    Result<std::string> sign(ByteSpan message, std::string_view trusted_comment,
                             std::string_view untrusted_comment = "signature from a picket key") const;

  private:
    SecretKey(const KeyId& id, Secret seed_and_point) : id_(id), key_(std::move(seed_and_point)) {}
    KeyId id_;
    Secret key_; ///< 32 bytes seed, 32 bytes public point
};

/// Checks both signatures of a .minisig file, prehashed ("ED") or legacy ("Ed"); gives the trusted comment. A file that
/// is none is invalid_input, one of another key is conflict, one that does not fit the message is corrupt.
Result<std::string> verify_signature(const PublicKey& key, ByteSpan message, std::string_view signature_text);
/// Who says to have signed; proves nothing.
Result<KeyId> signer_of(std::string_view signature_text);

} // namespace picket::crypto
