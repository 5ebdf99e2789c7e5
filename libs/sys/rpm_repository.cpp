#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>

#include "package_managers.h"
#include "repository_clients.h"

/// What dnf, yum and zypper have in common: a .repo file, repomd.xml, and rpm's own keyring.
namespace picket::sys {
namespace {

constexpr std::string_view kExpiryTag = "<content>valid-until=";

std::optional<WallTime> seconds_after(std::string_view text, std::string_view mark) {
    const auto begin = text.find(mark);
    if (begin == std::string_view::npos)
        return std::nullopt;
    const std::string_view rest = text.substr(begin + mark.size());
    const auto seconds = parse_unsigned(trim(rest.substr(0, rest.find('<'))));
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
    return {
        .version = {}, .published = seconds_after(repomd, "<revision>"), .expires = seconds_after(repomd, kExpiryTag)};
}

Result<std::vector<std::string>> keys_missing_in_rpm(const std::vector<std::string>& fingerprints) {
    std::vector<std::string> missing;
    for (const std::string& fingerprint : fingerprints) {
        const RunOutcome outcome = PICKET_TRY(rpm({"-q", "gpg-pubkey-" + short_id(fingerprint)}));
        if (!outcome.ok())
            missing.push_back(fingerprint);
    }
    return missing;
}

Result<void> import_into_rpm(const std::vector<std::string>& armored_keys) {
    const ScratchFolder scratch = PICKET_TRY(ScratchFolder::make());
    for (const std::string& key : armored_keys) {
        PICKET_TRY(scratch.write("key.asc", key));
        const RunOutcome outcome = PICKET_TRY(rpm({"--import", scratch.path() + "/key.asc"}));
        if (!outcome.ok())
            return package_failure("rpm --import", outcome, {});
    }
    return {};
}

Result<void> erase_from_rpm(const std::vector<std::string>& fingerprints) {
    const std::vector<std::string> missing = PICKET_TRY(keys_missing_in_rpm(fingerprints));
    for (const std::string& fingerprint : fingerprints) {
        if (std::find(missing.begin(), missing.end(), fingerprint) != missing.end())
            continue;
        const RunOutcome outcome = PICKET_TRY(rpm({"-e", "--allmatches", "gpg-pubkey-" + short_id(fingerprint)}));
        if (!outcome.ok())
            return package_failure("rpm -e", outcome, {});
    }
    return {};
}

Result<std::string> fetch_by_curl(const std::string& url, Bytes limit) {
    RunOptions options = quiet_run(kFetchTimeout);
    options.output_limit = Bytes{limit.count + 1};
    const RunOutcome outcome = PICKET_TRY(
        run({"curl", "--fail", "--silent", "--show-error", "--location", "--max-redirs", "5", "--proto", "=http,https",
             "--connect-timeout", "20", "--max-time", "60", "--max-filesize", std::to_string(limit.count), "--", url},
            options));
    if (!outcome.ok())
        return Error(ErrorCode::internal, fmt::format("curl: {}", reason_of(outcome)));
    if (outcome.output.size() > limit.count)
        return Error(ErrorCode::exhausted, fmt::format("{}: larger than {}", url, to_human(limit)));
    return outcome.output;
}

} // namespace picket::sys
