#pragma once
#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include <picket/sys/process.h>
#include <picket/sys/repositories.h>

/// Private to libs/sys: what the repository clients have in common.
namespace picket::sys {

constexpr Milliseconds kFetchTimeout{120'000};
constexpr Bytes kPackageLimit = gibibytes(1);

/// A line of a package manager's output (LC_ALL=C), by a phrase in it, and what it means.
struct Phrase {
    std::string_view text;
    ErrorCode code;
    std::string_view meaning;
};
/// What the tables have in common.
namespace meaning {
inline constexpr std::string_view kBusy = "another package manager is at work";
inline constexpr std::string_view kForeignIndex = "its index is signed by a key that is not trusted";
inline constexpr std::string_view kChangedIndex = "its index was changed after it was signed";
/// Of managers that do not tell one from the other.
inline constexpr std::string_view kChangedOrForeignIndex =
    "its index was changed after it was signed, or is signed by a key that is not trusted";
inline constexpr std::string_view kUnsignedIndex = "its index is not signed";
inline constexpr std::string_view kNotAsIndexed = "a file is not the one that the signed index names";
inline constexpr std::string_view kNotSigned =
    "a package is not signed by a key of the repository, or was changed after it was";
inline constexpr std::string_view kForeignServer = "the server's certificate is not trusted";
inline constexpr std::string_view kMissingDependencies = "packages that it depends on cannot be installed";
inline constexpr std::string_view kVersionGone = "it does not hold that version any more";
} // namespace meaning

/// The first phrase of the table that was said decides; internal with the program's words where none was.
Error repository_error(std::string_view program, const RunOutcome& outcome, std::span<const Phrase> phrases);

/// Root's own, in memory where /run is; gone with this object.
class ScratchFolder {
  public:
    static Result<ScratchFolder> make();
    ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    ScratchFolder& operator=(ScratchFolder&&) = delete;
    ~ScratchFolder();
    const std::string& path() const { return path_; }
    /// Below it; folders on the way are made.
    Result<void> write(const std::string& name, std::string_view content) const;
    Result<void> make_folder(const std::string& name) const;
    /// The first file in `folder` whose name ends with that, at most 4 MiB; nothing where there is none.
    std::optional<std::string> read_ending(const std::string& folder, std::string_view end) const;

  private:
    explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

RunOptions quiet_run(Milliseconds timeout, const std::atomic<bool>* stop = nullptr);

// ---- rpm's kind

/// The .repo file; the keys are at these paths.
std::string repo_file(const Repository& repository, const std::vector<std::string>& key_paths, RepositoryKind kind);
/// published and expires, of a verified repomd.xml.
RepositoryIndex index_of_repomd(std::string_view repomd);
/// What dnf, yum and zypper have in common: curl, which every distribution with rpm brings along, and rpm's keyring.
class RpmClient : public RepositoryClient {
  public:
    explicit RpmClient(const std::atomic<bool>& stop) : stop_(stop) {}
    Result<std::string> fetch(const std::string& url, Bytes limit) override;
    /// By its name in the repository; signed by one of the repository's keys, whatever rpm's own keyring holds.
    Result<void> fetch_package(const Repository& repository, const std::string& package, const std::string& version,
                               const std::string& path) override;
    Result<std::vector<std::string>> missing_keys(const std::vector<std::string>& fingerprints) override;
    Result<void> trust(const std::vector<std::string>& armored_keys) override;
    Result<void> forget(const std::vector<std::string>& fingerprints) override;

  protected:
    /// Writes the .repo file as `name`, and its keys beside it.
    Result<void> write_repo_file(const ScratchFolder& scratch, const std::string& name,
                                 const Repository& repository) const;

  private:
    const std::atomic<bool>& stop_;
};

} // namespace picket::sys
