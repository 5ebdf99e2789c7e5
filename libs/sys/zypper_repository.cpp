#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>

#include "package_managers.h"
#include "repository_clients.h"

namespace picket::sys {
namespace {

/// What zypper says (LC_ALL=C), what is decisive first.
constexpr std::array kPhrases{
    Phrase{"System management is locked", ErrorCode::unavailable, meaning::kBusy},
    Phrase{"can't create transaction lock", ErrorCode::unavailable, meaning::kBusy},
    Phrase{"signed with an unknown key", ErrorCode::conflict, meaning::kForeignIndex},
    Phrase{"signed with unknown key", ErrorCode::conflict, meaning::kForeignIndex},
    Phrase{"Signature verification failed", ErrorCode::corrupt, meaning::kChangedOrForeignIndex},
    Phrase{"ignature verification for", ErrorCode::corrupt, meaning::kChangedOrForeignIndex},
    Phrase{"is unsigned", ErrorCode::corrupt, meaning::kUnsignedIndex},
    Phrase{"Digest verification failed", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"exceeded the expected filesize", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"has incorrect checksum", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"ertificate", ErrorCode::internal, meaning::kForeignServer},
    Phrase{"not found on medium", ErrorCode::not_found, "there is no repository, or it misses a file"},
    Phrase{"nothing provides", ErrorCode::not_found, meaning::kMissingDependencies},
    Phrase{"not found", ErrorCode::not_found, meaning::kVersionGone},
};

class ZypperClient final : public RpmClient {
  public:
    using RpmClient::RpmClient;
    std::string_view name() const override { return "zypper"; }
    RepositoryKind kind() const override { return RepositoryKind::zypper; }

    /// In a tree of its own: the keys that it takes over there are not the host's.
    Result<RepositoryIndex> look_into(const Repository& repository, const std::string& package) override {
        const ScratchFolder scratch = PICKET_TRY(ScratchFolder::make());
        PICKET_TRY(write_repo_file(scratch, "etc/zypp/repos.d/picket.repo", repository));
        const RunOutcome refreshed =
            PICKET_TRY(zypper({"--root", scratch.path(), "--gpg-auto-import-keys", "refresh", "--force", "picket"}));
        const auto repomd = scratch.read_ending("var/cache/zypp/raw", "/repomd.xml");
        if (!refreshed.ok() || !repomd)
            return failure(refreshed);
        const RunOutcome listed = PICKET_TRY(zypper({"--root", scratch.path(), "--no-refresh", "search", "--details",
                                                     "--match-exact", "--type", "package", package}));
        RepositoryIndex index = index_of_repomd(*repomd);
        index.version = newest_of(listed.output, package);
        return index;
    }

    std::optional<WallTime> last_seen(const Repository&) override {
        const auto repomd = read_kernel_file("/var/cache/zypp/raw/picket/repodata/repomd.xml");
        return repomd ? index_of_repomd(*repomd).published : std::nullopt;
    }

    Result<void> install(const std::string& package, const std::string& version, PackageWish wish) override {
        const RunOutcome refreshed = PICKET_TRY(zypper({"refresh", "--force", "picket"}));
        if (!refreshed.ok())
            return failure(refreshed);
        std::vector<std::string> arguments{"--no-refresh", "install", "--no-recommends", "--from", "picket"};
        if (wish == PackageWish::mend)
            arguments.emplace_back("--force");
        arguments.push_back(package + "=" + version);
        const RunOutcome outcome = PICKET_TRY(zypper(arguments));
        return outcome.ok() ? Result<void>() : failure(outcome);
    }

  private:
    static Error failure(const RunOutcome& outcome) { return repository_error("zypper", outcome, kPhrases); }
    static Result<RunOutcome> zypper(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"zypper", "--non-interactive", "--quiet"});
        return run(arguments, quiet_run(kPackageTimeout));
    }
    /// "v | picket | package | 0.1.0-1 | x86_64 | Picket", the newest first.
    static std::string newest_of(std::string_view output, const std::string& package) {
        for (const std::string_view line : split(output, '\n')) {
            const auto columns = split(line, '|');
            if (columns.size() >= 5 && trim(columns[1]) == package)
                return std::string(trim(columns[3]).substr(0, trim(columns[3]).rfind('-')));
        }
        return "";
    }
};

} // namespace

std::unique_ptr<RepositoryClient> make_zypper_client(const std::atomic<bool>& stop) {
    return std::make_unique<ZypperClient>(stop);
}

} // namespace picket::sys
