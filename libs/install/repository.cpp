#include <picket/install/repository.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/digest.h>
#include <picket/crypto/openpgp.h>
#include <picket/install/files.h>
#include <picket/trust/time_text.h>

namespace picket::install {
namespace {

using crypto::OpenPgpCertificate;
using Certificates = std::vector<OpenPgpCertificate>;

constexpr Bytes kKeyringLimit = kibibytes(256);
constexpr Bytes kSignatureLimit = kibibytes(4);
constexpr Bytes kPackageLimit = gibibytes(1);
/// What the release key has to have said that it signs.
constexpr std::string_view kPurpose = "picket-archive-keyring valid-until=";

std::string short_text(WallTime time) {
    return to_rfc3339(time).substr(0, 16) + "Z";
}

Error no_client() {
    return Error(ErrorCode::invalid_input, "--from-repo needs apt, dnf, yum or zypper on the running host");
}

/// What came is the publisher's to mend, not the caller's.
Result<Certificates> keys_in_keyring(std::string_view keyring) {
    auto parsed = crypto::parse_certificates(keyring);
    if (!parsed)
        return Error(ErrorCode::corrupt,
                     fmt::format("{} of the repository: {}", kKeyringName, parsed.error().message()));
    return parsed;
}

Result<Certificates> keyring_of(const Ports& ports, const std::string& url) {
    return keys_in_keyring(
        PICKET_TRY(ports.repositories->fetch(fmt::format("{}/{}", url, kKeyringName), kKeyringLimit)));
}

/// Signed by a key that is built in, for this purpose, and not longer ago than it says itself.
Result<Certificates> keyring_by_release_key(const Ports& ports, const std::string& url) {
    const std::string address = fmt::format("{}/{}", url, kKeyringName);
    const std::string keyring = PICKET_TRY(ports.repositories->fetch(address, kKeyringLimit));
    const std::string signature = PICKET_TRY(ports.repositories->fetch(address + ".minisig", kSignatureLimit));
    const auto comment = ports.trust.verify_by_release_key(keyring, signature);
    if (!comment)
        return comment.error().with_context(std::string(kKeyringName) + " of the repository");
    const auto valid_until =
        comment->starts_with(kPurpose) ? trust::parse_time(comment->substr(kPurpose.size())) : std::nullopt;
    if (!valid_until)
        return Error(ErrorCode::conflict, fmt::format("{} of the repository: its signature is for another purpose: {}",
                                                      kKeyringName, escape_for_display(*comment)));
    if (*valid_until < ports.clock.wall())
        return Error(ErrorCode::corrupt, fmt::format("{} of the repository: its signature ended {}", kKeyringName,
                                                     short_text(*valid_until)));
    return keys_in_keyring(keyring);
}

Result<Certificates> keys_in_file(const std::string& path) {
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file)
        return Error(ErrorCode::invalid_input,
                     fmt::format("--repo-key {}: neither a fingerprint (40 digits) nor a file that can be read",
                                 escape_for_display(path)));
    const auto text = sys::read_all(file.get(), kKeyringLimit);
    auto parsed = text ? crypto::parse_certificates(*text) : Result<Certificates>(text.error());
    if (!parsed)
        return Error(ErrorCode::invalid_input,
                     fmt::format("--repo-key {}: {}", escape_for_display(path), parsed.error().message()));
    return parsed;
}

Result<Certificates> key_by_fingerprint(const Ports& ports, const std::string& url, const std::string& fingerprint) {
    for (OpenPgpCertificate& certificate : PICKET_TRY(keyring_of(ports, url)))
        if (certificate.fingerprint == fingerprint)
            return Certificates{std::move(certificate)};
    return Error(ErrorCode::conflict, fmt::format("{} of the repository holds no key {}", kKeyringName, fingerprint));
}

Result<Certificates> given_keys(const Ports& ports, const std::string& url, const std::vector<std::string>& keys) {
    Certificates all;
    for (const std::string& key : keys) {
        const auto fingerprint = crypto::fingerprint_of(key);
        Certificates more = PICKET_TRY(fingerprint ? key_by_fingerprint(ports, url, *fingerprint) : keys_in_file(key));
        std::move(more.begin(), more.end(), std::back_inserter(all));
    }
    return all;
}

/// The later of what the last run wrote down and what the package manager's own cache holds.
std::optional<WallTime> seen_before(const Ports& ports, const TrustedRepository& source, const std::string& ring,
                                    const data::Json& receipt) {
    std::optional<WallTime> seen = ports.repositories->last_seen(source.repository);
    const data::Json& noted = data::member(receipt, "repository");
    const auto keys = data::strings_of(data::member(noted, "keys"));
    const bool same_publisher = std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
        return std::find(source.fingerprints.begin(), source.fingerprints.end(), key) != source.fingerprints.end();
    });
    const auto date = trust::parse_time(data::string_or(noted, "published", ""));
    if (same_publisher && data::string_or(noted, "ring", "") == ring && date && (!seen || *seen < *date))
        seen = date;
    return seen;
}

} // namespace

Result<TrustedRepository> trust_repository(const Ports& ports, const std::string& url,
                                           const std::vector<std::string>& keys) {
    PICKET_TRY(sys::check_repository_url(url));
    if (ports.repositories == nullptr)
        return no_client();
    const Certificates certificates =
        PICKET_TRY(keys.empty() ? keyring_by_release_key(ports, url) : given_keys(ports, url, keys));
    if (certificates.size() > sys::kMaximumRepositoryKeys)
        return Error(ErrorCode::exhausted, fmt::format("more than {} keys", sys::kMaximumRepositoryKeys));
    TrustedRepository trusted{.repository = {.url = url}};
    trusted.trusted_by = keys.empty() ? "keys signed by a release key" : "keys named by --repo-key";
    for (const OpenPgpCertificate& certificate : certificates) {
        trusted.fingerprints.push_back(certificate.fingerprint);
        trusted.repository.keyring += certificate.bytes;
        trusted.repository.armored_keys.push_back(crypto::to_armor(certificate));
    }
    return trusted;
}

Result<RepositoryMaterial> open_repository(const Ports& ports, const RepositoryWish& wish, const data::Json& receipt) {
    RepositoryMaterial material{.source = PICKET_TRY(trust_repository(ports, wish.url, wish.keys)),
                                .ring = wish.ring,
                                .keys_named = !wish.keys.empty()};
    const sys::RepositoryIndex index =
        PICKET_TRY(ports.repositories->look_into(material.source.repository, files::kPackageName));
    if (index.expires && *index.expires < ports.clock.wall())
        return Error(ErrorCode::corrupt, fmt::format("its index has expired ({})", short_text(*index.expires)));
    if (index.ring != wish.ring && !(wish.ring.empty() && wish.url.ends_with("/" + index.ring)))
        return Error(ErrorCode::corrupt, index.ring.empty() ? "its index is of no ring"
                                                            : fmt::format("its index is the one of the ring {}",
                                                                          escape_for_display(index.ring)));
    const auto seen = seen_before(ports, material.source, wish.ring, receipt);
    if (seen && index.published && *index.published < *seen)
        return Error(
            ErrorCode::corrupt,
            fmt::format("its index is of {}, and this host has seen one of {}: a mirror that is behind, or somebody "
                        "who brings old versions back",
                        short_text(*index.published), short_text(*seen)));
    if (index.version.empty())
        return Error(ErrorCode::not_found, "it does not hold the package for this host");
    material.version = index.version;
    material.published = index.published;
    material.expires = index.expires;
    return material;
}

RepositoryWish repository_of_receipt(const data::Json& receipt) {
    const data::Json& noted = data::member(receipt, "repository");
    RepositoryWish wish{data::string_or(noted, "url", ""), data::string_or(noted, "ring", ""), {}};
    if (data::bool_or(noted, "keys_named", false))
        wish.keys = data::strings_of(data::member(noted, "keys"));
    return wish;
}

Result<KeptPackage> fetch_package(const Ports& ports, const TrustedRepository& source, const std::string& version) {
    if (ports.packages == nullptr)
        return no_client();
    const std::string ending = ports.repositories->kind() == sys::RepositoryKind::apt ? ".deb" : ".rpm";
    const std::string path = fmt::format("{}/{}{}", files::kIncoming, version, ending);
    const std::string host_path = ports.root.label() + path;
    PICKET_TRY(ports.repositories->fetch_package(source.repository, files::kPackageName, version, host_path));
    const sys::PackageFile file = PICKET_TRY(ports.packages->inspect(host_path));
    if (file.name != files::kPackageName || file.version != version)
        return Error(ErrorCode::conflict, fmt::format("as {} {} it has {} {}", files::kPackageName, version,
                                                      escape_for_display(file.name), escape_for_display(file.version)));
    const UniqueFd fd = PICKET_TRY(ports.root.open_file(path, O_RDONLY));
    return KeptPackage{version, to_hex(PICKET_TRY(crypto::sha256_of(fd.get(), kPackageLimit)).sha256), path};
}

InstallerExit exit_of_repository(const Error& error) {
    switch (error.code()) {
    case ErrorCode::corrupt:
    case ErrorCode::conflict:
        return InstallerExit::bundle_refused;
    case ErrorCode::unavailable:
        return InstallerExit::package_manager_busy;
    case ErrorCode::invalid_input:
        return InstallerExit::usage;
    case ErrorCode::cancelled:
        return InstallerExit::interrupted;
    default:
        return error.errno_value() == ENOSPC ? InstallerExit::requirement_not_met : InstallerExit::installation_failed;
    }
}

Failure repository_failure(const std::string& url, const Error& error) {
    const InstallerExit exit = exit_of_repository(error);
    std::string fix;
    if (exit == InstallerExit::bundle_refused)
        fix = "Ask whoever publishes the repository; docs/repositories.md says what each refusal means.";
    if (exit == InstallerExit::interrupted)
        fix = "Nothing was changed.";
    if (exit == InstallerExit::requirement_not_met)
        fix = fmt::format("Make room on the file system of {}, then try again.", files::kIncoming);
    if (exit == InstallerExit::installation_failed && error.code() == ErrorCode::not_found)
        fix = "Nothing is left of it. Check the address, and which versions the repository has.";
    else if (exit == InstallerExit::installation_failed)
        fix = "Nothing is left of it. Check the address, the network and the server's certificate, then try again.";
    return failure_from(exit, error.with_context("the repository " + escape_for_display(url)), std::move(fix));
}

data::Json to_json(const RepositoryMaterial& material) {
    const auto time = [](const std::optional<WallTime>& value) {
        return value ? data::Json(to_rfc3339(*value)) : data::Json();
    };
    return {{"url", material.source.repository.url}, {"ring", material.ring},
            {"keys", material.source.fingerprints},  {"keys_named", material.keys_named},
            {"version", material.version},           {"published", time(material.published)},
            {"expires", time(material.expires)}};
}

} // namespace picket::install
