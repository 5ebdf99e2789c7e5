#pragma once
#include <map>
#include <string>
#include <string_view>

#include <picket/archive/reader.h>
#include <picket/base/bytes.h>
#include <picket/base/result.h>
#include <picket/crypto/minisign.h>
#include <picket/data/json.h>

/// What the onboarding package and the bundle have in common; inside libs/trust only.
namespace picket::trust {

inline constexpr const char* kManifestName = "manifest.json";
inline constexpr const char* kSignatureName = "manifest.json.minisig";

struct FileRecord {
    std::string sha256;
    std::uint64_t size = 0;
    bool operator==(const FileRecord&) const = default;
};
using FileRecords = std::map<std::string, FileRecord>;

/// `{"version", "min_reader", "max_reader"}`: which readers understand a document.
data::Json schema_range();
/// Refuses what this reader (version 1) is too old or too new for.
Result<void> check_schema_range(const data::Json& document);

/// Adds schema, purpose, key and files to `document`, and gives the bytes to sign.
std::string manifest_text(data::Json document, std::string_view purpose, const crypto::PublicKey& key,
                          const FileRecords& files);

struct SignedManifest {
    data::Json document;
    FileRecords files;
};
/// The one way to believe a manifest: signature first, then purpose, key, schema, and the form of its list.
Result<SignedManifest> verify_manifest(const crypto::PublicKey& key, std::string_view text, std::string_view signature,
                                       std::string_view purpose);

/// A seal ends each archive: a SHA-256 of all before it, in a place where the format allows a comment. It proves
/// nothing about who made it; it finds every changed, missing or added byte, also those that no signature covers
/// (headers, padding), before any archive code looks at them.
Result<void> append_seal(int fd, archive::Format format);
Result<void> check_seal(int fd, archive::Format format, Bytes limit);

} // namespace picket::trust
