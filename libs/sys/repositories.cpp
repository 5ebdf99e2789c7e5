#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>

#include "package_managers.h"
#include "repository_clients.h"

namespace picket::sys {
namespace {

constexpr std::size_t kLongestUrl = 1024;
constexpr std::size_t kLongestQuote = 300;

constexpr const char* kAptSources = "/etc/apt/sources.list.d/picket.sources";
constexpr const char* kAptKeyring = "/usr/share/keyrings/picket-archive-keyring.gpg";
constexpr const char* kDnfRepo = "/etc/yum.repos.d/picket.repo";
constexpr const char* kZypperRepo = "/etc/zypp/repos.d/picket.repo";
constexpr const char* kRpmKey = "/etc/pki/rpm-gpg/RPM-GPG-KEY-picket-";

std::string rpm_key_path(std::size_t number) {
    return fmt::format("{}{}", kRpmKey, number + 1);
}

std::string sources_file(const Repository& repository) {
    return fmt::format("# Written by picket-installer; docs/repositories.md\n"
                       "Types: deb\nURIs: {}/apt\nSuites: stable\nComponents: main\nSigned-By: {}\n",
                       repository.url, kAptKeyring);
}

std::vector<RepositoryFile> rpm_files(RepositoryKind kind, const Repository& repository) {
    std::vector<RepositoryFile> files;
    std::vector<std::string> key_paths;
    for (std::size_t i = 0; i < repository.armored_keys.size(); ++i) {
        key_paths.push_back(rpm_key_path(i));
        files.push_back({key_paths.back(), repository.armored_keys[i]});
    }
    files.push_back({kind == RepositoryKind::zypper ? kZypperRepo : kDnfRepo, repo_file(repository, key_paths, kind)});
    return files;
}

} // namespace

Result<void> check_repository_url(std::string_view url) {
    const auto refuse = [&url](std::string_view why) {
        return Error(ErrorCode::invalid_input,
                     fmt::format("{}: {}", escape_for_display(url.substr(0, kLongestQuote)), why));
    };
    const std::string_view scheme = url.starts_with("https://") ? "https://" : "http://";
    if (!url.starts_with(scheme) || url.size() <= scheme.size() || url.size() > kLongestUrl)
        return refuse("the address of a repository is needed, like https://packages.example.org/picket");
    const std::string_view rest = url.substr(scheme.size());
    if (rest.find('@') != std::string_view::npos)
        return refuse(
            "a user and a password do not belong into an address that everybody on the host can read; apt takes "
            "them from /etc/apt/auth.conf.d, dnf from the .repo file");
    const bool good = std::all_of(rest.begin(), rest.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-._~+/:[]").find(c) != std::string_view::npos;
    });
    if (!good || rest.front() == '/')
        return refuse("an address of letters, digits and -._~+/:[] is needed");
    if (rest.ends_with('/'))
        return refuse("without the slash at its end");
    return {};
}

std::vector<RepositoryFile> repository_files(RepositoryKind kind, const Repository& repository) {
    if (kind != RepositoryKind::apt)
        return rpm_files(kind, repository);
    return {{kAptKeyring, repository.keyring}, {kAptSources, sources_file(repository)}};
}

std::vector<std::string> repository_file_names(RepositoryKind kind) {
    if (kind == RepositoryKind::apt)
        return {kAptKeyring, kAptSources};
    std::vector<std::string> names{kind == RepositoryKind::zypper ? kZypperRepo : kDnfRepo};
    for (std::size_t i = 0; i < kMaximumRepositoryKeys; ++i)
        names.push_back(rpm_key_path(i));
    return names;
}

Error repository_error(std::string_view program, const RunOutcome& outcome, std::span<const Phrase> phrases) {
    if (outcome.stopped)
        return Error(ErrorCode::cancelled, "stopped");
    if (outcome.timed_out)
        return Error(ErrorCode::internal, fmt::format("{} did not end in time", program));
    for (const Phrase& phrase : phrases)
        for (const std::string* text : {&outcome.error_output, &outcome.output})
            for (const std::string_view line : split(*text, '\n'))
                if (line.find(phrase.text) != std::string_view::npos)
                    return Error(phrase.code, fmt::format("{} ({}: {})", phrase.meaning, program,
                                                          escape_for_display(trim(line).substr(0, kLongestQuote))));
    // What it gave up for comes last, behind much that is no trouble.
    std::string last;
    for (const std::string_view line : split(outcome.error_output, '\n'))
        if (line.starts_with("Error") || line.starts_with("E:") || line.find("rror: ") != std::string_view::npos)
            last = escape_for_display(trim(line).substr(0, kLongestQuote));
    return Error(ErrorCode::internal, fmt::format("{}: {}", program, last.empty() ? reason_of(outcome) : last));
}

RunOptions quiet_run(Milliseconds timeout, const std::atomic<bool>* stop) {
    RunOptions options;
    options.timeout = timeout;
    options.stop = stop;
    options.environment = {{"DEBIAN_FRONTEND", "noninteractive"},
                           {"DEBCONF_NONINTERACTIVE_SEEN", "true"},
                           {"APT_LISTCHANGES_FRONTEND", "none"},
                           {"NEEDRESTART_SUSPEND", "1"},
                           {"ZYPP_LOCK_TIMEOUT", "0"},
                           {"HOME", "/root"}};
    for (const char* name : {"http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY"})
        if (const char* const value = std::getenv(name))
            options.environment[name] = value;
    return options;
}

Result<ScratchFolder> ScratchFolder::make() {
    std::string path = "/run/picket-installer.XXXXXX"; // 0700
    if (mkdtemp(path.data()) == nullptr)
        return Error::from_errno(errno, "a folder below /run");
    return ScratchFolder(path);
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty())
        std::filesystem::remove_all(path_, ignored);
}

Result<void> ScratchFolder::make_folder(const std::string& name) const {
    const Root root = PICKET_TRY(Root::open(path_));
    return root.make_directories("/" + name, 0755);
}

Result<void> ScratchFolder::write(const std::string& name, std::string_view content) const {
    const Root root = PICKET_TRY(Root::open(path_));
    if (const auto slash = name.rfind('/'); slash != std::string::npos)
        PICKET_TRY(root.make_directories("/" + name.substr(0, slash), 0755));
    return root.write_atomically("/" + name, content, 0644);
}

std::optional<std::string> ScratchFolder::read_ending(const std::string& folder, std::string_view end) const {
    std::error_code error;
    for (auto entry = std::filesystem::recursive_directory_iterator(path_ + "/" + folder, error);
         !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error))
        if (entry->is_regular_file(error) && entry->path().native().ends_with(end))
            if (auto text = read_kernel_file(entry->path().native()))
                return std::move(*text);
    return std::nullopt;
}

} // namespace picket::sys
