#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/crypto/minisign.h>
#include <picket/data/json.h>

/// The onboarding package: who a host belongs to, and how it is to behave (docs/formats.md).
namespace picket::trust {

struct Organisation {
    std::string id; ///< UUID
    std::string name;
    std::string region;
    bool operator==(const Organisation&) const = default;
};

/// Where hosts find things: "definitions", "console".
using Endpoints = std::map<std::string, std::string>;
using Tags = std::map<std::string, std::string>;

struct OnboardingRequest {
    Organisation organisation;
    WallTime issued{};
    std::chrono::seconds lifetime{std::chrono::hours(24 * 90)};
    Endpoints endpoints;
    Tags tags;
    std::string proxy;                          ///< "" = none
    std::vector<std::string> no_proxy;          ///< hosts that are reached without it
    std::vector<std::string> ca_certificates;   ///< PEM, one each
    std::map<std::string, data::Json> profiles; ///< by name, each an object
};
/// The bytes of the package. They hold the enrolment token: write them to a file that only its owner may read.
Result<std::string> build_onboarding_package(const OnboardingRequest& request, const crypto::SecretKey& key);

struct OpenOptions {
    std::optional<crypto::PublicKey> trusted_key; ///< the only key that will do (--trust-key)
    std::optional<crypto::PublicKey> pinned_key;  ///< of the organisation that this host belongs to already
    WallTime now{};
    bool replace_org = false; ///< a package of another key may take the host over
    bool ignore_time = false; ///< to look at it only: expired and not yet valid ones open too
};

struct OnboardingPackage {
    data::Json document;       ///< onboarding.json; holds no secret
    std::string document_text; ///< its bytes as they were signed
    std::string package_id;
    Organisation organisation;
    crypto::PublicKey key;
    std::string key_id; ///< as text
    Endpoints endpoints;
    Tags tags;
    std::string proxy;
    std::vector<std::string> no_proxy;
    std::vector<std::string> ca_certificates;
    std::map<std::string, std::string> profiles; ///< canonical JSON text by name (without ".json")
    std::string enrolment_token;                 ///< secret: never shown, lands in a file of mode 0600
    WallTime issued{};
    WallTime expires{};
    bool first_use = false;    ///< no key was known before: the caller pins this one
    bool replaces_org = false; ///< pinned_key was another
    std::vector<std::string> warnings;
};

/// Opens, verifies and checks; writes nothing. Archive code runs in a confined child only; the signature is verified
/// before anything is parsed. Errors: not_found and permission for the file itself; conflict: signed by another key
/// than trusted or pinned; corrupt: damaged or changed; exhausted: over a limit; invalid_input: no package, hostile,
/// not yet valid, expired, for another purpose or another reader version; unavailable: this host cannot confine.
Result<OnboardingPackage> open_onboarding_package(int fd, const OpenOptions& options);
Result<OnboardingPackage> open_onboarding_package(const std::string& path, const OpenOptions& options);

/// The key in an onboarding document that was accepted before (/etc/picket/onboarding.json).
Result<crypto::PublicKey> key_of_document(const data::Json& document);
/// What an administrator gives as KEY: the base64 text itself, or the path of a .pub file.
Result<crypto::PublicKey> read_key_argument(const std::string& argument);

} // namespace picket::trust
