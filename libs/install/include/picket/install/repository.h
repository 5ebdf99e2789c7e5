#pragma once
#include <optional>
#include <string>
#include <vector>

#include <picket/install/kept_packages.h>
#include <picket/install/ports.h>
#include <picket/sys/repositories.h>

/// Installing from a signed repository instead of a bundle (docs/repositories.md).
namespace picket::install {

/// A repository whose keys are trusted.
struct TrustedRepository {
    sys::Repository repository;
    std::vector<std::string> fingerprints; ///< of its keys
    std::string trusted_by;                ///< one phrase: why these keys
};

/// What --from-repo led to: its index is verified, and not older than the one that this host has seen.
struct RepositoryMaterial {
    TrustedRepository source;
    std::string ring;        ///< what its publisher calls it; "" = it has none
    bool keys_named = false; ///< by --repo-key: a later run that is to trust others has to name them
    std::string version;     ///< of the package
    std::optional<WallTime> published;
    std::optional<WallTime> expires;
};

/// Of a repository: picket-archive-keyring.gpg, and .minisig of it, lie at its root.
inline constexpr const char* kKeyringName = "picket-archive-keyring.gpg";

/// The keys that the repository's keyring holds, if a release key has signed it. `keys`, where there are any, take the
/// place of that: each is a file with OpenPGP keys, or the fingerprint of a key of the keyring; no other is trusted.
/// Errors as RepositoryClient's; invalid_input = `url` or `keys`.
Result<TrustedRepository> trust_repository(const Ports& ports, const std::string& url,
                                           const std::vector<std::string>& keys);

/// Which repository is meant: --from-repo, --ring, --repo-key.
struct RepositoryWish {
    std::string url; ///< that of the ring
    std::string ring;
    std::vector<std::string> keys;
};
/// trust_repository(), and its index. `receipt`: of the last run, for the date of the index that was seen then: each
/// ring has one of its own.
Result<RepositoryMaterial> open_repository(const Ports& ports, const RepositoryWish& wish, const data::Json& receipt);

/// What makes a repository known to hosts that picket-installer does not visit: one folder for each kind of package
/// manager, laid out as on the host. Errors as trust_repository().
Result<std::vector<sys::RepositoryFile>> repository_export(const Ports& ports, const std::string& url,
                                                           const std::vector<std::string>& keys);

/// As --from-repo, --ring and --repo-key named it when `receipt` was written; no URL where it names none.
RepositoryWish repository_of_receipt(const data::Json& receipt);

/// A package of the repository in files::kIncoming, which is there: verified, under the name by which it may be kept.
/// Errors as RepositoryClient::fetch_package(); conflict = it is another one than its name says.
Result<KeptPackage> fetch_package(const Ports& ports, const TrustedRepository& source, const std::string& version);

/// 28 for what is not to be trusted, 27 for a lock, 12 for a full disk, 130 for a stop, 2 for arguments, else 21.
InstallerExit exit_of_repository(const Error& error);
Failure repository_failure(const std::string& url, const Error& error);

/// For the receipt.
data::Json to_json(const RepositoryMaterial& material);

} // namespace picket::install
