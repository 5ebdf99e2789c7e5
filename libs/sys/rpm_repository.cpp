#include <algorithm>
#include <cerrno>
#include <sys/utsname.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>

#include "package_managers.h"
#include "repository_clients.h"

/// What dnf, yum and zypper have in common: a .repo file, repomd.xml, and rpm's own keyring.
namespace picket::sys {
namespace {

constexpr std::string_view kExpiryTag = "<content>valid-until=";
constexpr std::string_view kRingTag = "<content>ring=";
/// Release: of packaging/rpm/picket.spec.
constexpr int kRelease = 1;
/// curl's --fail: the server answered, with 404 or the like.
constexpr int kCurlRefused = 22;
/// What came could not be written.
constexpr int kCurlWriteError = 23;

std::string_view content_after(std::string_view text, std::string_view mark) {
    const auto begin = text.find(mark);
    if (begin == std::string_view::npos)
        return {};
    const std::string_view rest = text.substr(begin + mark.size());
    return trim(rest.substr(0, rest.find('<')));
}

std::optional<WallTime> seconds_after(std::string_view text, std::string_view mark) {
    const auto seconds = parse_unsigned(content_after(text, mark));
    constexpr std::uint64_t kYear2261 = 9'000'000'000;
    return seconds && *seconds < kYear2261 ? std::optional(WallTime(std::chrono::seconds(*seconds))) : std::nullopt;
}

/// rpm's name for a key: the last eight digits, in lower case.
std::string short_id(const std::string& fingerprint) {
    return to_lower(fingerprint.substr(fingerprint.size() - std::min<std::size_t>(fingerprint.size(), 8)));
}

Result<RunOutcome> rpm(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "rpm");
    return run(arguments, quiet_run(kQueryTimeout));
}

std::vector<std::string> curl(const std::string& url, Bytes limit, Milliseconds timeout) {
    return {"curl",
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--max-redirs",
            "5",
            "--proto",
            "=http,https",
            "--connect-timeout",
            "20",
            "--max-time",
            std::to_string(timeout.count() / 1'000),
            "--max-filesize",
            std::to_string(limit.count),
            "--",
            url};
}

/// "    Header V4 RSA/SHA256 Signature, key ID 0123abcd: OK" of rpmkeys --checksig --verbose: without such a line
/// nobody has signed it, and that alone is no failure to rpm.
bool says_signed(std::string_view output) {
    for (const std::string_view line : split(output, '\n'))
        if (to_lower(line).find("signature, key ") != std::string::npos && trim(line).ends_with(": OK"))
            return true;
    return false;
}

/// In a keyring of its own: what else rpm trusts on this host has no say here.
Result<void> check_signature(const Repository& repository, const std::string& path) {
    const ScratchFolder scratch = PICKET_TRY(ScratchFolder::make());
    PICKET_TRY(scratch.make_folder("rpm"));
    const std::string database = fmt::format("--dbpath={}/rpm", scratch.path());
    for (const std::string& key : repository.armored_keys) {
        PICKET_TRY(scratch.write("key.asc", key));
        const RunOutcome imported =
            PICKET_TRY(run({"rpmkeys", database, "--import", scratch.path() + "/key.asc"}, quiet_run(kQueryTimeout)));
        if (!imported.ok())
            return package_failure("rpmkeys --import", imported, {});
    }
    const RunOutcome checked =
        PICKET_TRY(run({"rpmkeys", database, "--checksig", "--verbose", path}, quiet_run(kQueryTimeout)));
    if (!checked.ok() || !says_signed(checked.output))
        return Error(ErrorCode::corrupt, std::string(meaning::kNotSigned));
    return {};
}

} // namespace

std::string repo_file(const Repository& repository, const std::vector<std::string>& key_paths, RepositoryKind kind) {
    std::string keys;
    for (const std::string& path : key_paths)
        keys += (keys.empty() ? "file://" : "\n       file://") + path;
    return fmt::format("# Written by picket-installer; docs/repositories.md\n"
                       "[picket]\nname=Picket\nbaseurl={}/rpm\nenabled=1\nautorefresh=1\ngpgcheck=1\nrepo_gpgcheck=1\n"
                       "gpgkey={}\nsslverify=1\n{}",
                       repository.url, keys, kind == RepositoryKind::zypper ? "type=rpm-md\n" : "metadata_expire=6h\n");
}

RepositoryIndex index_of_repomd(std::string_view repomd) {
    return {.version = {},
            .ring = std::string(content_after(repomd, kRingTag)),
            .published = seconds_after(repomd, "<revision>"),
            .expires = seconds_after(repomd, kExpiryTag)};
}

Result<void> RpmClient::write_repo_file(const ScratchFolder& scratch, const std::string& name,
                                        const Repository& repository) const {
    std::vector<std::string> keys;
    for (const std::string& key : repository.armored_keys) {
        const std::string file = fmt::format("key-{}.asc", keys.size() + 1);
        PICKET_TRY(scratch.write(file, key));
        keys.push_back(fmt::format("{}/{}", scratch.path(), file));
    }
    return scratch.write(name, repo_file(repository, keys, kind()));
}

Result<std::vector<std::string>> RpmClient::missing_keys(const std::vector<std::string>& fingerprints) {
    std::vector<std::string> missing;
    for (const std::string& fingerprint : fingerprints) {
        const RunOutcome outcome = PICKET_TRY(rpm({"-q", "gpg-pubkey-" + short_id(fingerprint)}));
        if (!outcome.ok())
            missing.push_back(fingerprint);
    }
    return missing;
}

Result<void> RpmClient::trust(const std::vector<std::string>& armored_keys) {
    const ScratchFolder scratch = PICKET_TRY(ScratchFolder::make());
    for (const std::string& key : armored_keys) {
        PICKET_TRY(scratch.write("key.asc", key));
        const RunOutcome outcome = PICKET_TRY(rpm({"--import", scratch.path() + "/key.asc"}));
        if (!outcome.ok())
            return package_failure("rpm --import", outcome, {});
    }
    return {};
}

Result<void> RpmClient::forget(const std::vector<std::string>& fingerprints) {
    const std::vector<std::string> missing = PICKET_TRY(missing_keys(fingerprints));
    for (const std::string& fingerprint : fingerprints) {
        if (std::find(missing.begin(), missing.end(), fingerprint) != missing.end())
            continue;
        const RunOutcome outcome = PICKET_TRY(rpm({"-e", "--allmatches", "gpg-pubkey-" + short_id(fingerprint)}));
        if (!outcome.ok())
            return package_failure("rpm -e", outcome, {});
    }
    return {};
}

Result<std::string> RpmClient::fetch(const std::string& url, Bytes limit) {
    RunOptions options = quiet_run(kFetchTimeout);
    options.output_limit = Bytes{limit.count + 1};
    const RunOutcome outcome = PICKET_TRY(run(curl(url, limit, Milliseconds(60'000)), options));
    if (!outcome.ok())
        return Error(ErrorCode::internal, fmt::format("curl: {}", reason_of(outcome)));
    if (outcome.output.size() > limit.count)
        return Error(ErrorCode::exhausted, fmt::format("{}: larger than {}", url, to_human(limit)));
    return outcome.output;
}

Result<void> RpmClient::fetch_package(const Repository& repository, const std::string& package,
                                      const std::string& version, const std::string& path) {
    utsname host{};
    uname(&host);
    const std::string name = fmt::format("{}-{}-{}.{}.rpm", package, version, kRelease, host.machine);
    auto arguments = curl(fmt::format("{}/rpm/packages/{}", repository.url, name), kPackageLimit, kPackageTimeout);
    arguments.insert(arguments.end() - 2, {"--output", path});
    const RunOutcome fetched = PICKET_TRY(run(arguments, quiet_run(kPackageTimeout, &stop_)));
    if (fetched.exit_status == kCurlRefused)
        return Error(ErrorCode::not_found, std::string(meaning::kVersionGone));
    if (fetched.exit_status == kCurlWriteError)
        return Error::from_errno(ENOSPC, name);
    if (!fetched.ok())
        return repository_error("curl", fetched, {});
    return check_signature(repository, path);
}

} // namespace picket::sys
