#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/clock.h>
#include <picket/data/json.h>
#include <picket/install/failure.h>
#include <picket/sys/file.h>
#include <picket/sys/packages.h>
#include <picket/sys/repositories.h>
#include <picket/sys/services.h>

/// What the installer needs of the rest of the project, as small interfaces: real_ports.h has the real ones, the
/// tests have fakes. None of them prints.
namespace picket::install {

/// A verified onboarding package.
struct OnboardingMaterial {
    std::string org_id;
    std::string org_name;
    std::string document;                        ///< onboarding.json
    std::string token;                           ///< secret
    std::string public_key;                      ///< the key it is signed with, one line
    std::map<std::string, std::string> profiles; ///< name without .json → JSON text
    std::map<std::string, std::string> tags;
};

/// A verified bundle, its files extracted to files::kIncoming.
struct BundleMaterial {
    std::string path; ///< as given
    std::string sha256;
    std::string version;
    std::string package_file;          ///< relative to the extracted tree
    std::string installer_file;        ///< relative; "" = none
    std::string definitions;           ///< name of the generation; "" = none in it
    std::string definitions_directory; ///< relative
    WallTime built{};
    WallTime expires{};
    std::string package_sha256; ///< of the package's file, as the manifest says
};

class TrustPort {
  public:
    virtual ~TrustPort() = default;
    /// `trusted_key`: the key it must be signed with, one line of base64; empty = any (the first use pins it).
    virtual Result<OnboardingMaterial> open_onboarding(const std::string& path, const std::string& trusted_key) = 0;
    /// Verifies and extracts to files::kIncoming, which is there and empty.
    virtual Result<BundleMaterial> open_bundle(const std::string& path) = 0;
    /// Checks a .minisig against the release keys built in; gives its trusted comment. conflict = another key's.
    virtual Result<std::string> verify_by_release_key(std::string_view content, const std::string& signature) = 0;
    /// The key that an onboarding.json pins, one line of base64; "" = none.
    virtual std::string key_of(const std::string& document) = 0;
};

class DefinitionsPort {
  public:
    virtual ~DefinitionsPort() = default;
    virtual std::string current() = 0; ///< "" = none
    /// Makes a complete generation of the databases in `directory` (absolute in the root) and points `current` at it.
    virtual Result<void> install(const std::string& directory, const std::string& name) = 0;
    /// Points `current` back at `previous` ("" = nothing) and removes the generation `name`.
    virtual Result<void> remove(const std::string& name, const std::string& previous) = 0;
};

class DaemonPort {
  public:
    virtual ~DaemonPort() = default;
    /// The control protocol's `health`; an Error where nobody answers.
    virtual Result<data::Json> health() = 0;
    struct SelfTest {
        bool passed = false;
        std::string detail; ///< one line
    };
    /// Runs `picket selftest`.
    virtual Result<SelfTest> self_test() = 0;
    /// The newest lines that its programs logged, oldest first, at most some megabytes; "" where they cannot be had.
    virtual std::string recent_log() = 0;
    virtual void pause(Milliseconds time) = 0; ///< between two askings
};

/// What the opening of something that was given said.
struct CheckInput {
    std::string observed; ///< what was found good
    std::optional<Failure> failure;
    std::string advice = {}; ///< what to do soon: it is good, with a warning
};

struct CheckRequest {
    using Input = CheckInput;
    std::vector<std::string> accepted;
    std::string support_matrix;   ///< text; "" = the built-in one
    Milliseconds lock_timeout{0}; ///< how long package_manager.idle waits
    // Where they were given.
    std::optional<Input> bundle;
    std::optional<Input> onboarding;
    std::optional<Input> bundle_expiry;
    std::string onboarding_document; ///< whose servers are looked for; "" = those of the host's own
};
struct CheckAnswer {
    data::Json checks = data::Json::array();
    std::optional<Failure> failure; ///< of the first check that fails, in the order of the exit codes
};

class HostPort {
  public:
    virtual ~HostPort() = default;
    virtual CheckAnswer check(const CheckRequest& request) = 0;
    /// unavailable = still locked after `timeout`; the message names the holder.
    virtual Result<void> wait_for_package_manager(Milliseconds timeout) = 0;
    /// "Debian GNU/Linux 12 (bookworm)"; "" where it does not say.
    virtual std::string distribution() = 0;
};

/// Checks a profile given with --profile; the Error's message holds the suggestion.
class ProfilePort {
  public:
    virtual ~ProfilePort() = default;
    /// The JSON text to install.
    virtual Result<std::string> render(const std::string& path) = 0;
};

/// All of them, and the tree that is worked on. Nothing is owned.
struct Ports {
    const sys::Root& root;
    sys::PackageManager* packages = nullptr; ///< null: the host has none that we can drive
    sys::ServiceManager& services;
    TrustPort& trust;
    DefinitionsPort& definitions;
    DaemonPort& daemon;
    HostPort& host;
    ProfilePort& profiles;
    const Clock& clock;
    bool image = false;                            ///< a tree that --root names: nothing in it runs
    sys::RepositoryClient* repositories = nullptr; ///< null: an image, or a host with nothing that fetches
};

/// The units that stand for the product, in the order in which they stop.
const std::vector<std::string>& units();

} // namespace picket::install
