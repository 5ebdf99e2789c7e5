#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/result.h>

/// OpenPGP certificates ("public keys"), as far as package managers have to be told them: which ones a file holds, each
/// by itself, in both spellings. Nothing is proved here: who a certificate belongs to is settled by its fingerprint or
/// by a signature over the file, and what it signs is checked by the package manager.
namespace picket::crypto {

struct OpenPgpCertificate {
    std::string fingerprint; ///< 40 upper-case hexadecimal digits
    std::string bytes;       ///< binary
};

/// From a binary or an armored file, in its order; each fingerprint once. invalid_input: none is in it, a secret key is
/// in it, or it is something else; only keys of version 4 are known.
Result<std::vector<OpenPgpCertificate>> parse_certificates(std::string_view file);

/// What gpg --armor --export writes: "-----BEGIN PGP PUBLIC KEY BLOCK-----" …
std::string to_armor(const OpenPgpCertificate& certificate);

/// "ABCD 1234 …" as people copy it: the 40 digits in upper case; nothing where it is no fingerprint.
std::optional<std::string> fingerprint_of(std::string_view text);

} // namespace picket::crypto
