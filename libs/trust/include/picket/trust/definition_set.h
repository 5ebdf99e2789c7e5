#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/crypto/minisign.h>

/// What a mirror of definitions serves (docs/formats.md): a list of keys, signed by the organisation, and a set of
/// databases, signed by one of these keys.
namespace picket::trust {

inline constexpr const char* kKeyListName = "keys.json";
inline constexpr const char* kSetManifestName = "manifest.json";
inline constexpr const char* kSignatureSuffix = ".minisig";
inline constexpr const char* kSetFilesFolder = "files"; ///< each file under its SHA-256
inline constexpr Bytes kLargestKeyList = kibibytes(64);
inline constexpr Bytes kLargestSetManifest = mebibytes(1);
inline constexpr Bytes kLargestSignature = kibibytes(4);

struct SignedText {
    std::string text;
    std::string signature; ///< as a .minisig file
};

/// Who may sign sets. Its version rises with each change, so that a key that was taken out stays out.
struct KeyList {
    std::uint64_t version = 0;
    WallTime issued{};
    WallTime expires{};
    std::vector<crypto::PublicKey> keys;
};
Result<SignedText> sign_key_list(const KeyList& list, const crypto::SecretKey& organisation_key);
/// Signature first. Errors as of verify_definition_set. Time is not looked at.
Result<KeyList> verify_key_list(const crypto::PublicKey& organisation_key, std::string_view text,
                                std::string_view signature);

struct SetFile {
    std::string name; ///< as it is called in a generation; lies at files/SHA256
    std::string sha256;
    Bytes size;
    bool operator==(const SetFile&) const = default;
};
struct DefinitionSet {
    std::uint64_t version = 0; ///< rises with each set that a key signs
    WallTime issued{};
    WallTime expires{};
    std::vector<SetFile> files;
};
Result<SignedText> sign_definition_set(const DefinitionSet& set, const crypto::SecretKey& key);

struct BelievedSet {
    DefinitionSet set;
    crypto::PublicKey signed_by;
};
/// Signature first, by whichever of `keys` it names. conflict: signed by another key; corrupt: one byte is not as it
/// was signed; invalid_input: no set, for another purpose or another reader. Time and version are not looked at.
Result<BelievedSet> verify_definition_set(const std::vector<crypto::PublicKey>& keys, std::string_view text,
                                          std::string_view signature);

} // namespace picket::trust
