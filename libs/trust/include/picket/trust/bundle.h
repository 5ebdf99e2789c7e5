#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/crypto/minisign.h>

/// The bundle: everything that the installer puts on a host, in one signed file (docs/formats.md).
namespace picket::trust {

struct BundleFile {
    std::string name;
    std::string sha256; ///< 64 hex digits
    Bytes size;
    bool operator==(const BundleFile&) const = default;
};

struct BundleManifest {
    std::string version;
    std::string architecture; ///< as uname -m
    WallTime build_date{};
    WallTime expires{};
    std::optional<crypto::PublicKey> next_release_key; ///< announced by the one that signed
    std::vector<BundleFile> files;                     ///< without the manifest and its signature
};

struct BundleSource {
    std::string name;
    int fd = -1; ///< a regular file
};
struct BundleRequest {
    std::string version;
    std::string architecture;
    WallTime build_date{};
    WallTime expires{};
    std::optional<crypto::PublicKey> next_release_key;
    int installer_fd = -1;
    std::vector<BundleSource> files;
};
/// Writes to `output_fd`, an empty file open for reading and writing; syncs it.
Result<void> build_bundle(const BundleRequest& request, const crypto::SecretKey& key, int output_fd);

struct BundleOptions {
    std::vector<crypto::PublicKey> trusted_keys;
    WallTime now{};
    bool accept_expired = false; ///< the caller shows `expired` itself
};
struct OpenedBundle {
    BundleManifest manifest;
    crypto::PublicKey signed_by;
    bool expired = false;
    std::vector<std::string> warnings;
};

/// Verifies all of it, writes nothing. Errors: not_found and permission for the file itself; conflict: signed by a key
/// that is not trusted; corrupt: one byte is not as it was made; invalid_input: no bundle, expired, for another purpose
/// or reader version; exhausted: over a limit; unavailable: this host cannot confine.
Result<OpenedBundle> verify_bundle(int fd, const BundleOptions& options);
/// The same, and every file lands under its name in `directory_fd`: an empty directory, open for reading, that only its
/// owner (the caller) may enter; else conflict or permission. Files get their names after all of them were verified;
/// on an Error nothing is left there.
Result<OpenedBundle> extract_bundle(int fd, const BundleOptions& options, int directory_fd);

Result<OpenedBundle> verify_bundle(const std::string& path, const BundleOptions& options);
Result<OpenedBundle> extract_bundle(const std::string& path, const BundleOptions& options, int directory_fd);

/// As verify_bundle, and those of its files that are `wanted`, in memory.
struct BundleContents {
    OpenedBundle bundle;
    std::map<std::string, std::string> files;
};
Result<BundleContents> read_bundle(int fd, const BundleOptions& options,
                                   const std::function<bool(const std::string&)>& wanted);

inline constexpr const char* kBundleInstallerName = "picket-installer";

} // namespace picket::trust
