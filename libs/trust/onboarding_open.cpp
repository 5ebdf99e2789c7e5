#include <picket/trust/onboarding.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/archive/reader.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/digest.h>
#include <picket/sys/file.h>
#include <picket/trust/rules.h>

#include "onboarding_contents.h"
#include "onboarding_document.h"
#include "signed_manifest.h"

namespace picket::trust {
namespace {

constexpr std::chrono::hours kClockSkew{24};
constexpr std::chrono::hours kSoonExpired{24 * 7};

archive::Limits limits() {
    archive::Limits limits;
    limits.archive = mebibytes(16);
    limits.entries = 256;
    limits.entry = mebibytes(4);
    limits.total = mebibytes(16);
    return limits;
}

Result<Contents> read_contents(int fd) {
    PICKET_TRY(check_seal(fd, archive::Format::zip, limits().archive));
    auto entries = PICKET_TRY(archive::read_into_memory(fd, archive::Format::zip, limits()));
    Contents contents;
    for (archive::Entry& entry : entries)
        contents.emplace(std::move(entry.name), std::move(entry.content));
    return contents;
}

Result<std::string> content_of(const Contents& contents, const std::string& name) {
    const auto found = contents.find(name);
    if (found == contents.end())
        return Error(ErrorCode::invalid_input, fmt::format("{} is not in it: no onboarding package", name));
    return found->second;
}

/// Which key may have signed: says no before the signature is looked at, so that the message names the real reason.
Result<void> check_key(const crypto::PublicKey& key, const OpenOptions& options) {
    const std::string id = crypto::to_text(key.id);
    if (options.trusted_key && *options.trusted_key != key)
        return Error(ErrorCode::conflict,
                     fmt::format("signed by the organisation key {}, but the trusted key is {}: another "
                                 "organisation's package, or a forged one",
                                 id, crypto::to_text(options.trusted_key->id)));
    if (options.pinned_key && *options.pinned_key != key && !options.replace_org)
        return Error(ErrorCode::conflict,
                     fmt::format("signed by the organisation key {}, but this host belongs to the organisation "
                                 "with key {}; --replace-org hands it over",
                                 id, crypto::to_text(options.pinned_key->id)));
    return {};
}

/// Both ways: every listed file is there as listed, and nothing else is.
Result<void> check_files(const Contents& contents, const FileRecords& records) {
    for (const auto& [name, content] : contents)
        if (name != kManifestName && name != kSignatureName && !records.contains(name))
            return Error(ErrorCode::corrupt, fmt::format("{} is in the package, but not in its manifest", name));
    for (const auto& [name, record] : records) {
        const auto found = contents.find(name);
        if (found == contents.end())
            return Error(ErrorCode::corrupt, fmt::format("{} is in the manifest, but not in the package", name));
        if (found->second.size() != record.size || crypto::sha256_hex(found->second) != record.sha256)
            return Error(ErrorCode::corrupt, fmt::format("{} is not the file that was signed", name));
    }
    return {};
}

Result<void> check_times(OnboardingPackage& package, WallTime now) {
    if (package.expires <= package.issued)
        return Error(ErrorCode::invalid_input, "it expires before it was issued");
    if (now + kClockSkew < package.issued)
        return Error(ErrorCode::invalid_input,
                     fmt::format("not yet valid: issued {}, and this host's clock says {}; set the clock",
                                 to_rfc3339(package.issued), to_rfc3339(now)));
    if (now >= package.expires)
        return Error(ErrorCode::invalid_input,
                     fmt::format("expired {} (this host's clock says {}); make a new one with "
                                 "picket-onboarding create",
                                 to_rfc3339(package.expires), to_rfc3339(now)));
    if (now < package.issued)
        package.warnings.push_back(fmt::format("issued {}, later than this host's clock says ({})",
                                               to_rfc3339(package.issued), to_rfc3339(now)));
    if (package.expires - now < kSoonExpired)
        package.warnings.push_back(fmt::format("expires soon: {}", to_rfc3339(package.expires)));
    return {};
}

Result<std::string> token_of(const Contents& contents) {
    const std::string content = PICKET_TRY(content_of(contents, kTokenName));
    const std::string token(trim(content));
    if (token.empty() || token.size() > 512 || escape_for_display(token) != token ||
        token.find(' ') != std::string::npos)
        return Error(ErrorCode::invalid_input,
                     fmt::format("{}: one word of at most 512 characters is expected", kTokenName));
    return token;
}

Result<std::map<std::string, std::string>> profiles_of(const Contents& contents) {
    std::map<std::string, std::string> profiles;
    const std::string_view prefix = kProfilePrefix;
    const std::string_view suffix = kJsonSuffix;
    for (const auto& [path, content] : contents) {
        if (!path.starts_with(prefix))
            continue;
        if (!path.ends_with(suffix) || path.size() <= prefix.size() + suffix.size())
            return Error(ErrorCode::invalid_input, fmt::format("{}: a profile is named profiles/NAME.json", path));
        const std::string name = path.substr(prefix.size(), path.size() - prefix.size() - suffix.size());
        PICKET_TRY(check_profile_name(name));
        const auto profile = data::parse_json(content);
        if (!profile)
            return profile.error().with_context(path);
        if (!profile->is_object())
            return Error(ErrorCode::invalid_input, fmt::format("{}: must be an object", path));
        profiles.emplace(name, data::to_text(*profile) + "\n");
    }
    return profiles;
}

} // namespace

Result<OnboardingPackage> open_contents(const Contents& contents, const OpenOptions& options) {
    const auto key = crypto::PublicKey::parse(PICKET_TRY(content_of(contents, kPublicKeyName)));
    if (!key)
        return key.error().with_context(kPublicKeyName);
    PICKET_TRY(check_key(*key, options));
    const std::string manifest_content = PICKET_TRY(content_of(contents, kManifestName));
    const std::string signature = PICKET_TRY(content_of(contents, kSignatureName));
    const SignedManifest manifest = PICKET_TRY(verify_manifest(*key, manifest_content, signature, kOnboardingPurpose));
    PICKET_TRY(check_files(contents, manifest.files));
    auto parsed = parse_document(PICKET_TRY(content_of(contents, kDocumentName)), *key);
    if (!parsed)
        return parsed.error().with_context(kDocumentName);
    OnboardingPackage package = std::move(*parsed);
    if (!options.ignore_time)
        PICKET_TRY(check_times(package, options.now));
    package.enrolment_token = PICKET_TRY(token_of(contents));
    package.profiles = PICKET_TRY(profiles_of(contents));
    package.first_use = !options.trusted_key && !options.pinned_key;
    package.replaces_org = options.pinned_key && *options.pinned_key != *key;
    if (package.first_use)
        package.warnings.push_back(
            fmt::format("its key {} is accepted because no other was known; --trust-key makes sure", package.key_id));
    return package;
}

Result<OnboardingPackage> open_onboarding_package(int fd, const OpenOptions& options) {
    return open_contents(PICKET_TRY(read_contents(fd)), options);
}

Result<OnboardingPackage> open_onboarding_package(const std::string& path, const OpenOptions& options) {
    const std::string shown = escape_for_display(path);
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return Error::from_errno(errno, shown);
    auto package = open_onboarding_package(fd.get(), options);
    if (!package)
        return package.error().with_context(shown);
    return package;
}

Result<crypto::PublicKey> read_key_argument(const std::string& argument) {
    auto key = crypto::PublicKey::parse(argument);
    if (key)
        return key;
    const UniqueFd file(open(argument.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    const Error neither(ErrorCode::invalid_input,
                        fmt::format("\"{}\" is neither a public key (RW…, 56 characters) nor a file that holds one",
                                    escape_for_display(argument.substr(0, 200))));
    if (!file)
        return neither;
    const auto text = sys::read_all(file.get(), kibibytes(4));
    if (!text)
        return neither;
    auto from_file = crypto::PublicKey::parse(*text);
    return from_file ? from_file : Result<crypto::PublicKey>(neither);
}

} // namespace picket::trust
