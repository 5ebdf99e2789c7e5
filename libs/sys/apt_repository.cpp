#include <array>
#include <cerrno>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>

#include "package_managers.h"
#include "repository_clients.h"

namespace picket::sys {
namespace {

constexpr const char* kSources = "/etc/apt/sources.list.d/picket.sources";
constexpr const char* kLists = "/var/lib/apt/lists/";

/// What apt says (LC_ALL=C), what is decisive first.
constexpr std::array kPhrases{
    Phrase{"Could not get lock", ErrorCode::unavailable, meaning::kBusy},
    Phrase{"Unable to acquire the dpkg frontend lock", ErrorCode::unavailable, meaning::kBusy},
    Phrase{"Unable to lock", ErrorCode::unavailable, meaning::kBusy},
    Phrase{"dpkg was interrupted", ErrorCode::unavailable, "an earlier run of dpkg was cut off: dpkg --configure -a"},
    Phrase{"Unmet dependencies", ErrorCode::not_found,
           "other packages of this host are not in order: apt-get -f install"},
    Phrase{"is expired", ErrorCode::corrupt, "its index has expired"},
    Phrase{"is not valid yet", ErrorCode::corrupt, "its index is from the future: is the clock right?"},
    Phrase{"NO_PUBKEY", ErrorCode::conflict, meaning::kForeignIndex},
    Phrase{"EXPKEYSIG", ErrorCode::conflict, "its index is signed by a key that has expired"},
    Phrase{"REVKEYSIG", ErrorCode::conflict, "its index is signed by a key that was revoked"},
    Phrase{"BADSIG", ErrorCode::corrupt, meaning::kChangedIndex},
    Phrase{"Splitting up", ErrorCode::corrupt, meaning::kChangedIndex},
    Phrase{"Clearsigned file isn't valid", ErrorCode::corrupt, meaning::kChangedIndex},
    Phrase{"Hash Sum mismatch", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"unexpected size", ErrorCode::corrupt, meaning::kNotAsIndexed},
    Phrase{"Certificate verification failed", ErrorCode::internal, meaning::kForeignServer},
    Phrase{"certificate is NOT trusted", ErrorCode::internal, meaning::kForeignServer},
    Phrase{"does not have a Release file", ErrorCode::not_found, "there is no repository"},
    Phrase{"is not signed", ErrorCode::corrupt, meaning::kUnsignedIndex},
    Phrase{"were invalid", ErrorCode::corrupt, "the signature of its index does not hold"},
    Phrase{"Unable to locate package", ErrorCode::not_found, "it does not hold the package for this host"},
    Phrase{"was not found", ErrorCode::not_found, meaning::kVersionGone},
    Phrase{"unmet dependencies", ErrorCode::not_found, meaning::kMissingDependencies},
    Phrase{"Depends:", ErrorCode::not_found, meaning::kMissingDependencies},
};

Error failure(std::string_view program, const RunOutcome& outcome) {
    return repository_error(program, outcome, kPhrases);
}

using Arguments = std::vector<std::string>;

void add_options(Arguments& arguments, std::initializer_list<std::string> options) {
    for (const std::string& option : options) {
        arguments.emplace_back("-o");
        arguments.push_back(option);
    }
}

/// Whatever apt.conf says. That file list stands alone, so that nobody else's repository decides over ours.
Arguments strict(std::string program, const std::string& sources) {
    Arguments arguments{std::move(program)};
    add_options(arguments,
                {"Acquire::AllowInsecureRepositories=false", "Acquire::AllowWeakRepositories=false",
                 "Acquire::AllowDowngradeToInsecureRepositories=false", "Acquire::Check-Valid-Until=true",
                 "Acquire::Check-Date=true", "Acquire::https::Verify-Peer=true", "Acquire::https::Verify-Host=true",
                 "APT::Get::AllowUnauthenticated=false", "APT::Update::Error-Mode=any", "Acquire::Languages=none",
                 "Acquire::Retries=2", "Acquire::http::Timeout=20", "Acquire::https::Timeout=20"});
    if (!sources.empty())
        add_options(arguments, {"Dir::Etc::SourceList=" + sources, "Dir::Etc::SourceParts=/dev/null",
                                "APT::Get::List-Cleanup=false"});
    return arguments;
}

Arguments in_scratch(std::string program, const ScratchFolder& scratch) {
    Arguments arguments = strict(std::move(program), scratch.path() + "/picket.sources");
    add_options(arguments, {"Dir::State::Lists=" + scratch.path() + "/lists", "Dir::Cache=" + scratch.path() + "/cache",
                            "APT::Sandbox::User=root"});
    return arguments;
}

Result<RunOutcome> run_with(Arguments arguments, std::initializer_list<std::string> more, Milliseconds timeout,
                            const std::atomic<bool>* stop = nullptr) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments, quiet_run(timeout, stop));
}

/// The first "Field: value" line of apt's files; "" = there is none.
std::string field_of(std::string_view text, std::string_view field) {
    for (const std::string_view line : split(text, '\n'))
        if (line.starts_with(field) && line.substr(field.size(), 1) == ":")
            return std::string(trim(line.substr(field.size() + 1)));
    return "";
}

/// "Date: Sat, 28 Nov 2026 05:22:05 UTC" of a Release file.
std::optional<WallTime> time_of(std::string_view release, std::string_view field) {
    std::tm utc{};
    if (strptime(field_of(release, field).c_str(), "%a, %d %b %Y %H:%M:%S", &utc) == nullptr)
        return std::nullopt;
    return WallTime(std::chrono::seconds(timegm(&utc)));
}

/// "Picket insiders"
std::string ring_of(std::string_view label) {
    constexpr std::string_view kBefore = "Picket ";
    return std::string(label.starts_with(kBefore) ? label.substr(kBefore.size()) : std::string_view());
}

/// "picket | 0.1.0 | https://… stable/main amd64 Packages", newest first.
std::string version_of(std::string_view madison) {
    const auto columns = split(split(madison, '\n').front(), '|');
    return columns.size() < 3 ? std::string() : std::string(trim(columns[1]));
}

class AptClient final : public RepositoryClient {
  public:
    explicit AptClient(const std::atomic<bool>& stop) : stop_(stop) {}
    std::string_view name() const override { return "apt"; }
    RepositoryKind kind() const override { return RepositoryKind::apt; }

    Result<std::string> fetch(const std::string& url, Bytes limit) override {
        const ScratchFolder scratch = PICKET_TRY(ScratchFolder::make());
        const std::string file = scratch.path() + "/file";
        Arguments arguments = strict("/usr/lib/apt/apt-helper", "");
        add_options(arguments, {"APT::Sandbox::User=root", "Acquire::Retries=1"});
        const RunOutcome outcome = PICKET_TRY(run_with(arguments, {"download-file", url, file}, kFetchTimeout));
        if (!outcome.ok())
            return failure("apt", outcome);
        std::error_code error;
        if (std::filesystem::file_size(file, error) > limit.count || error)
            return Error(ErrorCode::exhausted, fmt::format("{}: larger than {}", url, to_human(limit)));
        return read_kernel_file(file);
    }

    Result<RepositoryIndex> look_into(const Repository& repository, const std::string& package) override {
        index_.emplace(PICKET_TRY(fetch_index(repository)));
        const std::string& release = index_->release;
        const RunOutcome listed =
            PICKET_TRY(run_with(in_scratch("apt-cache", index_->scratch), {"madison", package}, kQueryTimeout));
        return RepositoryIndex{version_of(listed.output), ring_of(field_of(release, "Label")), time_of(release, "Date"),
                               time_of(release, "Valid-Until")};
    }

    Result<void> fetch_package(const Repository& repository, const std::string& package, const std::string& version,
                               const std::string& path) override {
        if (!index_ || index_->url != repository.url || index_->keyring != repository.keyring)
            return Error(ErrorCode::internal, "no index of this repository was looked into");
        const RunOutcome shown = PICKET_TRY(run_with(in_scratch("apt-cache", index_->scratch),
                                                     {"show", fmt::format("{}={}", package, version)}, kQueryTimeout));
        const std::string file = field_of(shown.output, "Filename");
        const std::string digest = field_of(shown.output, "SHA256");
        const auto size = parse_unsigned(field_of(shown.output, "Size"));
        if (!shown.ok() || file.empty() || digest.empty() || !size)
            return Error(ErrorCode::not_found, std::string(meaning::kVersionGone));
        if (*size > kPackageLimit.count)
            return Error(ErrorCode::exhausted, fmt::format("{}: larger than {}", file, to_human(kPackageLimit)));
        Arguments arguments = strict("/usr/lib/apt/apt-helper", "");
        add_options(arguments, {"APT::Sandbox::User=root"});
        const RunOutcome fetched = PICKET_TRY(run_with(
            arguments, {"download-file", fmt::format("{}/apt/{}", repository.url, file), path, "SHA256:" + digest},
            kPackageTimeout, &stop_));
        if ((fetched.error_output + fetched.output).find("No space left on device") != std::string::npos)
            return Error::from_errno(ENOSPC, path);
        return fetched.ok() ? Result<void>() : failure("apt", fetched);
    }

    std::optional<WallTime> last_seen(const Repository& repository) override {
        std::string name = repository.url.substr(repository.url.find("://") + 3) + "/apt/dists/stable/InRelease";
        for (char& c : name)
            c = c == '/' ? '_' : c;
        const auto release = read_kernel_file(kLists + name);
        return release ? time_of(*release, "Date") : std::nullopt;
    }

    /// The keyring is a file that the source names: nothing else trusts it.
    Result<std::vector<std::string>> missing_keys(const std::vector<std::string>&) override {
        return std::vector<std::string>{};
    }
    Result<void> trust(const std::vector<std::string>&) override { return {}; }
    Result<void> forget(const std::vector<std::string>&) override { return {}; }

    Result<void> install(const std::string& package, const std::string& version, PackageWish wish) override {
        const RunOutcome updated = PICKET_TRY(run_with(strict("apt-get", kSources), {"update"}, kPackageTimeout));
        if (!updated.ok())
            return failure("apt", updated);
        Arguments arguments = strict("apt-get", "");
        add_options(arguments, {"Dpkg::Options::=--force-confold", "Dpkg::Use-Pty=0"});
        if (wish == PackageWish::mend)
            arguments.emplace_back("--reinstall");
        const RunOutcome outcome = PICKET_TRY(run_with(
            arguments, {"-y", "-q", "--no-install-recommends", "install", package + "=" + version}, kPackageTimeout));
        return outcome.ok() ? Result<void>() : failure("apt", outcome);
    }

  private:
    /// Verified; its lists are in the scratch folder.
    struct Index {
        std::string url;
        std::string keyring;
        ScratchFolder scratch;
        std::string release; ///< the Release file
    };
    static Result<Index> fetch_index(const Repository& repository) {
        ScratchFolder scratch = PICKET_TRY(ScratchFolder::make());
        const std::string keyring = scratch.path() + "/keyring.gpg";
        PICKET_TRY(scratch.write("keyring.gpg", repository.keyring));
        PICKET_TRY(scratch.write(
            "picket.sources", fmt::format("Types: deb\nURIs: {}/apt\nSuites: stable\nComponents: main\nSigned-By: {}\n",
                                          repository.url, keyring)));
        PICKET_TRY(scratch.make_folder("lists/partial"));
        PICKET_TRY(scratch.make_folder("cache/archives/partial"));
        const RunOutcome updated = PICKET_TRY(run_with(in_scratch("apt-get", scratch), {"update"}, kPackageTimeout));
        auto release = scratch.read_ending("lists", "Release");
        if (!updated.ok() || !release)
            return failure("apt", updated);
        return Index{repository.url, repository.keyring, std::move(scratch), std::move(*release)};
    }

    const std::atomic<bool>& stop_;
    std::optional<Index> index_; ///< of the last look_into()
};

} // namespace

std::unique_ptr<RepositoryClient> make_apt_client(const std::atomic<bool>& stop) {
    return std::make_unique<AptClient>(stop);
}

} // namespace picket::sys
