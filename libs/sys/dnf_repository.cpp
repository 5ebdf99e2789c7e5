#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>

#include "package_managers.h"
#include "repository_clients.h"

namespace picket::sys {
namespace {

constexpr std::array<const char*, 3> kCaches{"/var/cache/dnf", "/var/cache/yum", "/var/cache/libdnf5"};

/// The index came, and the file that it names did not come as it says.
constexpr std::string_view kNotAsIndexedOrMissing = "a file is not the one that the signed index names, or is missing";

/// What dnf and yum say (LC_ALL=C), what is decisive first.
constexpr std::array kPhrases{
    Phrase{"can't create transaction lock", ErrorCode::unavailable, meaning::kBusy},
    Phrase{"Another app is currently holding", ErrorCode::unavailable, meaning::kBusy},
    Phrase{"waiting for process with pid", ErrorCode::unavailable, meaning::kBusy},
    Phrase{"already locked", ErrorCode::unavailable, meaning::kBusy},
    Phrase{"igning key not found", ErrorCode::conflict, meaning::kForeignIndex},
    Phrase{"gpgkey", ErrorCode::conflict, "a package is signed by a key that is not trusted"},
    Phrase{"Public key for", ErrorCode::conflict, "a package is signed by a key that is not trusted"},
    Phrase{"GPG signature verification error", ErrorCode::corrupt, meaning::kChangedOrForeignIndex},
    Phrase{"repomd.xml signature could not be verified", ErrorCode::corrupt, meaning::kChangedOrForeignIndex},
    Phrase{"repomd.xml.asc", ErrorCode::corrupt, meaning::kUnsignedIndex},
    Phrase{"is not signed", ErrorCode::corrupt, "a package is not signed"},
    Phrase{"GPG check FAILED", ErrorCode::corrupt, "the signature of a package does not hold"},
    Phrase{"hecksum doesn't match", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"hecksum error", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"does not match its checksum", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"Inconsistent server data", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"aximum file size exceeded", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"certificate", ErrorCode::internal, meaning::kForeignServer},
    Phrase{"Cannot download repomd.xml", ErrorCode::not_found, "there is no repository, or it cannot be reached"},
    Phrase{"Error downloading packages", ErrorCode::corrupt, kNotAsIndexedOrMissing},
    Phrase{"Downloading error(s): repodata/", ErrorCode::corrupt, kNotAsIndexedOrMissing},
    Phrase{"404", ErrorCode::not_found, "there is no repository, or it misses a file"},
    Phrase{"nothing provides", ErrorCode::not_found, meaning::kMissingDependencies},
    Phrase{"Requires:", ErrorCode::not_found, meaning::kMissingDependencies},
    Phrase{"No match for argument", ErrorCode::not_found, meaning::kVersionGone},
    Phrase{"No package", ErrorCode::not_found, meaning::kVersionGone},
};

using Arguments = std::vector<std::string>;

/// "…/picket-0123456789abcdef/repodata/repomd.xml" of a cache folder; the youngest.
std::optional<std::string> cached_repomd(const std::string& cache) {
    std::error_code error;
    std::optional<std::string> found;
    std::filesystem::file_time_type newest{};
    for (auto entry = std::filesystem::recursive_directory_iterator(cache, error);
         !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
        const std::string& path = entry->path().native();
        if (!path.ends_with("/repomd.xml") || path.find("/picket") == std::string::npos)
            continue;
        const auto time = entry->last_write_time(error);
        if (!found || time > newest) {
            found = path;
            newest = time;
        }
    }
    return found;
}

class DnfClient final : public RpmClient {
  public:
    DnfClient(DnfKind kind, const std::atomic<bool>& stop)
        : RpmClient(stop), program_(kind == DnfKind::yum ? "yum" : "dnf"), is_yum_(kind == DnfKind::yum) {}
    std::string_view name() const override { return program_; }
    RepositoryKind kind() const override { return RepositoryKind::dnf; }

    Result<RepositoryIndex> look_into(const Repository& repository, const std::string& package) override {
        const ScratchFolder scratch = PICKET_TRY(ScratchFolder::make());
        PICKET_TRY(write_repo_file(scratch, "repos/picket.repo", repository));
        Arguments arguments = ours_alone();
        for (const char* option : {"reposdir=/repos", "cachedir=/cache", "persistdir=/persist", "logdir=/log"}) {
            const std::string_view text(option);
            const auto equals = text.find('=') + 1;
            arguments.push_back(
                fmt::format("--setopt={}{}{}", text.substr(0, equals), scratch.path(), text.substr(equals)));
        }
        const RunOutcome listed = PICKET_TRY(query(arguments, package));
        const auto repomd = scratch.read_ending("cache", "/repomd.xml");
        if (!repomd || (!listed.ok() && !says_no_such_package(listed)))
            return failure(listed);
        RepositoryIndex index = index_of_repomd(*repomd);
        index.version = newest_of(listed.output, package);
        return index;
    }

    std::optional<WallTime> last_seen(const Repository&) override {
        for (const char* cache : kCaches)
            if (const auto path = cached_repomd(cache))
                if (const auto text = read_kernel_file(*path))
                    return index_of_repomd(*text).published;
        return std::nullopt;
    }

    /// By ours alone first: another repository that is out of order is not to decide over this. What it depends on may
    /// need the others.
    Result<void> install(const std::string& package, const std::string& version, PackageWish wish) override {
        const std::string verb = wish == PackageWish::mend ? "reinstall" : "install";
        for (Arguments arguments : {ours_alone(), strict()}) {
            if (!is_yum_)
                arguments.emplace_back("--refresh");
            arguments.insert(arguments.end(), {verb, package + "-" + version});
            const RunOutcome outcome = PICKET_TRY(run(arguments, quiet_run(kPackageTimeout)));
            if (outcome.ok())
                return {};
            Error error = failure(outcome);
            if (error.code() != ErrorCode::not_found)
                return error;
            last_error_ = std::move(error);
        }
        return *last_error_;
    }

  private:
    Error failure(const RunOutcome& outcome) const { return repository_error(program_, outcome, kPhrases); }

    Arguments strict() const {
        Arguments arguments{program_,
                            "-y",
                            "-q",
                            "--setopt=exit_on_lock=1",
                            "--setopt=install_weak_deps=0",
                            "--setopt=timeout=20",
                            "--setopt=retries=2"};
        for (const char* option : {"gpgcheck=1", "repo_gpgcheck=1", "sslverify=1", "skip_if_unavailable=0"})
            arguments.push_back(fmt::format("--setopt=picket.{}", option));
        return arguments;
    }
    Arguments ours_alone() const {
        Arguments arguments = strict();
        arguments.insert(arguments.end(), {"--disablerepo=*", "--enablerepo=picket"});
        return arguments;
    }

    Result<RunOutcome> query(Arguments arguments, const std::string& package) const {
        if (is_yum_)
            arguments.insert(arguments.end(), {"list", "available", "--showduplicates", package});
        else
            arguments.insert(arguments.end(), {"repoquery", "--latest-limit=1", "--qf", "%{version}\n", package});
        return run(arguments, quiet_run(kPackageTimeout));
    }
    static bool says_no_such_package(const RunOutcome& outcome) {
        return outcome.error_output.find("No matching Packages") != std::string::npos;
    }

    /// dnf: the version. yum: "picket.x86_64   0.1.0-1   picket", the newest last.
    std::string newest_of(std::string_view output, const std::string& package) const {
        std::string newest;
        for (const std::string_view line : split(output, '\n')) {
            std::string_view text = trim(line);
            if (is_yum_) {
                if (!text.starts_with(package + "."))
                    continue;
                text = trim(text.substr(std::min(text.size(), text.find(' '))));
                text = text.substr(0, text.find(' '));
                text = text.substr(0, text.rfind('-'));
            }
            if (!text.empty())
                newest = text.substr(text.find(':') + 1); // an epoch
        }
        return newest;
    }

    std::string program_;
    bool is_yum_;
    std::optional<Error> last_error_;
};

} // namespace

std::unique_ptr<RepositoryClient> make_dnf_client(DnfKind kind, const std::atomic<bool>& stop) {
    return std::make_unique<DnfClient>(kind, stop);
}

} // namespace picket::sys
