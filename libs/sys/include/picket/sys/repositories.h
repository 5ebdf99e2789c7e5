#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>

namespace picket::sys {

/// A signed repository of packages, as packaging/repo/publish makes it: one address for apt and for rpm's kind.
struct Repository {
    std::string url;                       ///< its root, without a slash at the end; as check_repository_url() wants it
    std::string keyring;                   ///< the OpenPGP certificates that may sign it, binary
    std::vector<std::string> armored_keys; ///< the same, each by itself; at most kMaximumRepositoryKeys
};
inline constexpr std::size_t kMaximumRepositoryKeys = 4;

/// http or https, a host and a path of letters, digits and -._~+/:[]. It is written into configuration files, so a user
/// and a password have no place in it (apt: /etc/apt/auth.conf.d; dnf: username= and password=). invalid_input says so.
Result<void> check_repository_url(std::string_view url);

/// What makes it known to a host for good.
struct RepositoryFile {
    std::string path;
    std::string content;
};
/// apt: a .sources file and its keyring. rpm: a .repo file for dnf, yum or zypper, and a file for each key.
enum class RepositoryKind { apt, dnf, zypper };
std::vector<RepositoryFile> repository_files(RepositoryKind kind, const Repository& repository);
/// Every path that repository_files() may ever name for that kind.
std::vector<std::string> repository_file_names(RepositoryKind kind);

/// What the signed index says.
struct RepositoryIndex {
    std::string version; ///< the newest of the package that was asked for; "" = it is not there
    std::string ring;    ///< which of its publisher's rings it is the index of; "" = it has none
    std::optional<WallTime> published;
    std::optional<WallTime> expires;
};

enum class PackageWish { install, mend };

/// The host's own package manager, as far as it fetches. Every call runs its programs as PackageManager's do, with
/// signatures, expiry and TLS demanded whatever the host's configuration says. One thread.
/// Errors: corrupt = what came is damaged, changed or expired; conflict = it is signed by a key that is not in the
/// keyring; unavailable = another process holds a lock; cancelled = it was stopped; not_found = there is no such
/// repository, package, version or program; exhausted = more than asked for; internal = anything else, with the
/// program's own words.
class RepositoryClient {
  public:
    virtual ~RepositoryClient() = default;
    virtual std::string_view name() const = 0; ///< "apt", "dnf", "yum", "zypper"
    virtual RepositoryKind kind() const = 0;
    /// A small file, by what the host fetches with, so that its proxy and its certificates count.
    virtual Result<std::string> fetch(const std::string& url, Bytes limit) = 0;
    /// Fetches and verifies the index as if the repository were configured; changes nothing on the host.
    virtual Result<RepositoryIndex> look_into(const Repository& repository, const std::string& package) = 0;
    /// After look_into() of the same repository. Fetches exactly that version's package as `path`, a file of the host
    /// that is not there yet, and verifies it by the repository's keys; installs nothing.
    virtual Result<void> fetch_package(const Repository& repository, const std::string& package,
                                       const std::string& version, const std::string& path) = 0;
    /// Of the index that the host's own caches hold; nothing where they hold none.
    virtual std::optional<WallTime> last_seen(const Repository& repository) = 0;
    /// Gives the keys to the package manager's own keyring where it has one (rpm). Fingerprints of those that were not
    /// there; forget() takes them away again.
    virtual Result<std::vector<std::string>> missing_keys(const std::vector<std::string>& fingerprints) = 0;
    virtual Result<void> trust(const std::vector<std::string>& armored_keys) = 0;
    virtual Result<void> forget(const std::vector<std::string>& fingerprints) = 0;
    /// From the repository as it is configured now, exactly that version, with what it depends on.
    virtual Result<void> install(const std::string& package, const std::string& version, PackageWish wish) = 0;
};

enum class DnfKind { dnf, yum };
/// `stop`: true ends the fetching of a package. It outlives the client.
std::unique_ptr<RepositoryClient> make_apt_client(const std::atomic<bool>& stop);
std::unique_ptr<RepositoryClient> make_dnf_client(DnfKind kind, const std::atomic<bool>& stop);
std::unique_ptr<RepositoryClient> make_zypper_client(const std::atomic<bool>& stop);

} // namespace picket::sys
