#include <algorithm>
#include <cerrno>
#include <fstream>

#include <doctest/doctest.h>

#include <picket/base/text.h>
#include <picket/install/repository.h>

#include "fakes.h"

using namespace picket;
using namespace picket::install;
using fakes::Host;

namespace {

constexpr const char* kUrl = "https://packages.example.org/picket";

/// A made-up OpenPGP key.
std::string key(char seed) {
    const std::string body = std::string{4, 0, 0, 0, seed} + std::string(20, seed);
    return std::string{'\x98', static_cast<char>(body.size())} + body;
}

class FakeRepositories final : public sys::RepositoryClient {
  public:
    FakeRepositories(fakes::Fate& fate, fakes::FakePackages& packages, sys::RepositoryKind kind)
        : fate_(fate), packages_(packages), kind_(kind) {}
    std::string_view name() const override { return "fake"; }
    sys::RepositoryKind kind() const override { return kind_; }
    Result<std::string> fetch(const std::string& url, Bytes) override {
        return url.starts_with(kUrl) && url.ends_with("/picket-archive-keyring.gpg") ? keyring : signature;
    }
    Result<sys::RepositoryIndex> look_into(const sys::Repository& repository, const std::string&) override {
        looked_at = repository;
        if (refusal)
            return *refusal;
        return index;
    }
    Result<void> fetch_package(const sys::Repository&, const std::string& package, const std::string& version,
                               const std::string& path) override {
        PICKET_TRY(fate_.fails("repositories.fetch " + version));
        if (fetch_refusal)
            return *fetch_refusal;
        if (std::find(held.begin(), held.end(), version) == held.end())
            return Error(ErrorCode::not_found, "it does not hold that version any more");
        fetched.push_back(version);
        std::ofstream(path) << package << version;
        return {};
    }
    std::optional<WallTime> last_seen(const sys::Repository&) override { return seen; }
    Result<std::vector<std::string>> missing_keys(const std::vector<std::string>& fingerprints) override {
        return rpm_keys == 0 ? fingerprints : std::vector<std::string>{};
    }
    Result<void> trust(const std::vector<std::string>& keys) override {
        PICKET_TRY(fate_.fails("repositories.trust"));
        rpm_keys = keys.size();
        return {};
    }
    Result<void> forget(const std::vector<std::string>& fingerprints) override {
        forgotten = fingerprints;
        rpm_keys -= std::min(rpm_keys, fingerprints.size());
        return {};
    }
    Result<void> install(const std::string&, const std::string& version, sys::PackageWish wish) override {
        mended = wish == sys::PackageWish::mend;
        installed_version = version;
        return packages_.install("");
    }

    std::string keyring = key('a') + key('b');
    std::string signature = "signed";
    sys::RepositoryIndex index{"0.1.0", "", WallTime(std::chrono::hours(24 * 365 * 60)), std::nullopt};
    std::vector<std::string> held{"0.1.0"}; ///< versions whose package can be fetched
    std::vector<std::string> fetched;
    std::optional<WallTime> seen;
    std::optional<Error> refusal;
    std::optional<Error> fetch_refusal;
    sys::Repository looked_at;
    std::size_t rpm_keys = 0;
    std::vector<std::string> forgotten;
    std::string installed_version;
    bool mended = false;

  private:
    fakes::Fate& fate_;
    fakes::FakePackages& packages_;
    sys::RepositoryKind kind_;
};

struct RepositoryHost : Host {
    explicit RepositoryHost(sys::RepositoryKind kind = sys::RepositoryKind::apt) : repositories(fate, packages, kind) {
        ports.repositories = &repositories;
    }
    Request request() const {
        Request wanted = install_request();
        wanted.bundle.clear();
        wanted.from_repo = kUrl;
        return wanted;
    }
    /// Installed from it, which has 0.2.0 since.
    void publish_newer() {
        REQUIRE_FALSE(run(request()).failure);
        repositories.index.version = "0.2.0";
        repositories.held.emplace_back("0.2.0");
    }
    static Request upgrade_request() {
        Request wanted;
        wanted.verb = VerbKind::upgrade;
        return wanted;
    }
    std::vector<std::string> kept() const {
        std::vector<std::string> versions;
        for (const KeptPackage& package : kept_packages(root))
            versions.push_back(package.version);
        return versions;
    }
    std::string text(const char* path) const { return root.read(path, kibibytes(64)).value_or(""); }
    FakeRepositories repositories;
};

} // namespace

TEST_CASE("install from a repository sets it up, and says where the package came from") {
    RepositoryHost host;
    const Report report = host.run(host.request());
    REQUIRE_MESSAGE(!report.failure, (report.failure ? report.failure->message : ""));
    CHECK(host.packages.now.status == sys::PackageStatus::installed);
    CHECK(host.repositories.installed_version == "0.1.0");
    CHECK(host.text("/usr/share/keyrings/picket-archive-keyring.gpg") == host.repositories.keyring);
    CHECK(host.text("/etc/apt/sources.list.d/picket.sources").find(kUrl) != std::string::npos);
    CHECK(host.definitions.current() == "package-0.1.0");
    const auto receipt = data::parse_json(host.text(files::kReceipt)).value();
    CHECK(receipt["repository"]["url"] == kUrl);
    CHECK(receipt["repository"]["keys"].size() == 2);
    const auto before = host.tree.contents();
    const Report again = host.run(host.request());
    CHECK_FALSE(again.failure);
    CHECK_FALSE(again.changed);
    CHECK(host.tree.contents() == before);
}

TEST_CASE("a dry run predicts what an install from a repository leads to") {
    RepositoryHost host;
    (void)host.check_prediction(host.request());
}

TEST_CASE("what cannot be trusted is refused, and leaves the host as it was") {
    struct Row {
        const char* what;
        std::function<void(RepositoryHost&, Request&)> spoil;
        InstallerExit exit;
        const char* message;
    };
    const std::vector<Row> rows{
        {"another release key", [](auto& h, auto&) { h.repositories.signature = "other"; },
         InstallerExit::bundle_refused, "another key"},
        {"another purpose", [](auto& h, auto&) { h.trust.comment = "picket-installer 0.1.0 x86_64"; },
         InstallerExit::bundle_refused, "another purpose"},
        {"an old keyring", [](auto& h, auto&) { h.trust.comment = "picket-archive-keyring valid-until=1971-01-01"; },
         InstallerExit::bundle_refused, "ended"},
        {"no keyring", [](auto& h, auto&) { h.repositories.keyring = "<html>"; }, InstallerExit::bundle_refused,
         "no OpenPGP public key"},
        {"a changed index",
         [](auto& h, auto&) { h.repositories.refusal = Error(ErrorCode::corrupt, "changed after it was signed"); },
         InstallerExit::bundle_refused, "changed after it was signed"},
        {"a stranger's index", [](auto& h, auto&) { h.repositories.refusal = Error(ErrorCode::conflict, "stranger"); },
         InstallerExit::bundle_refused, "stranger"},
        {"an expired index", [](auto& h, auto&) { h.repositories.index.expires = WallTime{}; },
         InstallerExit::bundle_refused, "expired"},
        {"an older index than seen",
         [](auto& h, auto&) { h.repositories.seen = *h.repositories.index.published + std::chrono::minutes(1); },
         InstallerExit::bundle_refused, "a mirror that is behind"},
        {"a lock", [](auto& h, auto&) { h.repositories.refusal = Error(ErrorCode::unavailable, "locked"); },
         InstallerExit::package_manager_busy, "locked"},
        {"no network", [](auto& h, auto&) { h.repositories.refusal = Error(ErrorCode::internal, "no route"); },
         InstallerExit::installation_failed, "no route"},
        {"no such package", [](auto& h, auto&) { h.repositories.index.version.clear(); },
         InstallerExit::installation_failed, "does not hold the package"},
        {"a fingerprint that is not there",
         [](auto&, auto& r) { r.repo_keys = {"0123456789ABCDEF0123456789ABCDEF01234567"}; },
         InstallerExit::bundle_refused, "holds no key"},
        {"a key file that is not there", [](auto&, auto& r) { r.repo_keys = {"/no/such/file"}; }, InstallerExit::usage,
         "neither a fingerprint"},
        {"no address", [](auto&, auto& r) { r.from_repo = "packages.example.org"; }, InstallerExit::usage, "https://"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        RepositoryHost host;
        Request request = host.request();
        row.spoil(host, request);
        const auto before = host.tree.contents();
        const Report report = host.run(request);
        REQUIRE(report.failure);
        CHECK(report.exit() == row.exit);
        CHECK_MESSAGE(report.failure->message.find(row.message) != std::string::npos, report.failure->message);
        CHECK(host.tree.contents() == before);
    }
}

TEST_CASE("an index that the last run saw is the oldest that will do, whatever its address") {
    RepositoryHost host;
    (void)host.run(host.request());
    *host.repositories.index.published -= std::chrono::hours(1);
    const Report report = host.run(host.request());
    CHECK(report.exit() == InstallerExit::bundle_refused);
}

TEST_CASE("only the key of a named fingerprint is trusted") {
    RepositoryHost host;
    const auto keys = install::trust_repository(host.ports, kUrl, {}).value();
    Request request = host.request();
    request.repo_keys = {keys.fingerprints[1]};
    CHECK_FALSE(host.run(request).failure);
    CHECK(host.repositories.looked_at.keyring == key('b'));
}

TEST_CASE("rpm gets the keys, and loses those that came when the package does not") {
    RepositoryHost host(sys::RepositoryKind::dnf);
    host.fate.fail_what = "packages.install";
    const auto before = host.tree.contents();
    CHECK(host.run(host.request()).exit() == InstallerExit::installation_failed);
    CHECK(host.repositories.rpm_keys == 0);
    CHECK(host.tree.contents() == before);
    host.fate.fail_what.clear();
    REQUIRE_FALSE(host.run(host.request()).failure);
    CHECK(host.repositories.rpm_keys == 2);
    CHECK(host.exists("/etc/yum.repos.d/picket.repo"));

    // The publisher has rotated: keys change, nothing else.
    host.repositories.keyring = key('b') + key('c');
    const Report rotated = host.run(host.request());
    CHECK_FALSE(rotated.failure);
    CHECK(rotated.changed);
    CHECK(host.repositories.forgotten.size() == 1);

    Request uninstall;
    uninstall.verb = VerbKind::uninstall;
    CHECK_FALSE(host.run(uninstall).failure);
    CHECK(host.repositories.rpm_keys == 0);
    CHECK_FALSE(host.exists("/etc/yum.repos.d/picket.repo"));
    CHECK_FALSE(host.exists("/etc/pki/rpm-gpg/RPM-GPG-KEY-picket-1"));
}

TEST_CASE("a broken package is mended from the repository") {
    RepositoryHost host;
    (void)host.run(host.request());
    host.packages.now.status = sys::PackageStatus::broken;
    host.host.broken = true;
    CHECK_FALSE(host.run(host.request()).failure);
    CHECK(host.repositories.mended);
}

TEST_CASE("each ring has an index of its own: what another ring showed does not make this one old") {
    RepositoryHost host;
    REQUIRE_FALSE(host.run(host.request()).failure);
    *host.repositories.index.published -= std::chrono::hours(1);
    CHECK(host.run(host.request()).exit() == InstallerExit::bundle_refused);
    Request request = host.request();
    request.ring = "insiders";
    request.from_repo += "/insiders";
    CHECK(host.run(request).exit() == InstallerExit::bundle_refused); // what comes is of no ring
    host.repositories.index.ring = "insiders";
    const Report report = host.run(request);
    REQUIRE_MESSAGE(!report.failure, (report.failure ? report.failure->message : ""));
    *host.repositories.index.published -= std::chrono::hours(1);
    CHECK(host.run(request).exit() == InstallerExit::bundle_refused);
}

TEST_CASE("one ring's index in another's place is refused") {
    RepositoryHost host;
    host.repositories.index.ring = "insiders";
    const Report report = host.run(host.request());
    CHECK(report.exit() == InstallerExit::bundle_refused);
    CHECK(report.failure->message.find("the ring insiders") != std::string::npos);
    Request request = host.request();
    request.from_repo += "/insiders"; // as part of the address
    CHECK_FALSE(host.run(request).failure);
}

TEST_CASE("an upgrade comes from where the host was installed from, and so does the way back") {
    RepositoryHost host;
    host.publish_newer();
    const Report planned = host.check_prediction(RepositoryHost::upgrade_request());
    CHECK(planned.checks.back()["status"] == "pass");
    CHECK(planned.after["way_back"] == "0.1.0");
    CHECK(host.packages.now.version == "0.2.0");
    CHECK(host.kept() == std::vector<std::string>{"0.1.0", "0.2.0"});
    CHECK_FALSE(host.exists(files::kIncoming));
    const auto receipt = data::parse_json(host.text(files::kReceipt)).value();
    CHECK(receipt["repository"]["version"] == "0.2.0");
    const auto before = host.tree.contents();
    const Report again = host.run(RepositoryHost::upgrade_request());
    CHECK_FALSE(again.failure);
    CHECK_FALSE(again.changed);
    CHECK(host.tree.contents() == before);
    Request back;
    back.verb = VerbKind::rollback;
    REQUIRE_FALSE(host.run(back).failure);
    CHECK(host.packages.now.version == "0.1.0");
}

TEST_CASE("a bad version from a repository goes back to the one before, and leaves nothing") {
    RepositoryHost host;
    host.publish_newer();
    host.daemon.unproved_version = "0.2.0";
    const Report report = host.run(RepositoryHost::upgrade_request());
    CHECK(report.exit() == InstallerExit::installation_failed);
    CHECK(host.packages.now.version == "0.1.0");
    CHECK(report.failure->fix.find("0.1.0 is back and protects") != std::string::npos);
    CHECK(host.kept().empty());
    CHECK_FALSE(host.exists(files::kIncoming));
}

TEST_CASE("where the repository has lost the version before, the plan says that there is no way back") {
    RepositoryHost host;
    host.publish_newer();
    host.repositories.held = {"0.2.0"};
    Request request = RepositoryHost::upgrade_request();
    request.dry_run = true;
    const Report planned = host.run(request);
    REQUIRE_FALSE(planned.failure);
    CHECK(planned.checks.back()["status"] == "warn");
    request.dry_run = false;
    REQUIRE_FALSE(host.run(request).failure);
    CHECK(host.kept() == std::vector<std::string>{"0.2.0"});
}

TEST_CASE("a host that came from a bundle is upgraded from a repository, which it knows from then on") {
    RepositoryHost host;
    REQUIRE_FALSE(host.run(host.install_request()).failure);
    host.repositories.index.version = "0.2.0";
    host.repositories.held = {"0.2.0"};
    Request request = RepositoryHost::upgrade_request();
    request.from_repo = kUrl;
    const Report report = host.run(request);
    REQUIRE_MESSAGE(!report.failure, (report.failure ? report.failure->message : ""));
    CHECK(host.repositories.fetched == std::vector<std::string>{"0.2.0"});
    CHECK(host.kept() == std::vector<std::string>{"0.1.0", "0.2.0"});
    CHECK(host.text("/etc/apt/sources.list.d/picket.sources").find(kUrl) != std::string::npos);
}

TEST_CASE("a version of the repository can be named; an older one only with the word for it") {
    RepositoryHost host;
    host.publish_newer();
    host.repositories.held.emplace_back("0.1.5");
    Request request = RepositoryHost::upgrade_request();
    request.version = "0.1.5";
    REQUIRE_FALSE(host.run(request).failure);
    CHECK(host.packages.now.version == "0.1.5");
    request.version = "0.1.0";
    CHECK(host.run(request).exit() == InstallerExit::requirement_not_met);
    request.version = "0.3.0";
    const Report gone = host.run(request);
    CHECK(gone.exit() == InstallerExit::installation_failed);
    CHECK(gone.failure->message.find("does not hold that version") != std::string::npos);
    CHECK(host.packages.now.version == "0.1.5");
    CHECK_FALSE(host.exists(files::kIncoming));
}

TEST_CASE("a fetch that is stopped, or finds no room, says so and changes nothing") {
    RepositoryHost host;
    host.publish_newer();
    const auto before = host.tree.contents();
    host.repositories.fetch_refusal = Error(ErrorCode::cancelled, "stopped");
    const Report stopped = host.run(RepositoryHost::upgrade_request());
    CHECK(stopped.exit() == InstallerExit::interrupted);
    CHECK(stopped.failure->fix == "Nothing was changed.");
    host.repositories.fetch_refusal = Error::from_errno(ENOSPC, "0.2.0.deb");
    const Report full = host.run(RepositoryHost::upgrade_request());
    CHECK(full.exit() == InstallerExit::requirement_not_met);
    CHECK(full.failure->fix.find("Make room") == 0);
    CHECK(host.tree.contents() == before);
}

TEST_CASE("what the receipt says of named keys counts for the next run, and nothing where none were named") {
    RepositoryHost host;
    host.publish_newer();
    host.repositories.keyring = key('b') + key('c'); // rotated: the next one signs
    CHECK_FALSE(host.run(RepositoryHost::upgrade_request()).failure);

    RepositoryHost pinned;
    Request request = pinned.request();
    request.repo_keys = {install::trust_repository(pinned.ports, kUrl, {}).value().fingerprints[0]};
    REQUIRE_FALSE(pinned.run(request).failure);
    pinned.repositories.keyring = key('b') + key('c');
    CHECK(pinned.run(RepositoryHost::upgrade_request()).exit() == InstallerExit::bundle_refused);
}

TEST_CASE("an upgrade from a repository is killed anywhere: the next run has a whole version") {
    for (int n = 0;; ++n) {
        RepositoryHost host;
        host.publish_newer();
        if (!host.run_killed_at(RepositoryHost::upgrade_request(), n))
            break;
        CAPTURE(n);
        REQUIRE_FALSE(host.run(RepositoryHost::upgrade_request()).failure);
        CHECK(host.packages.now.status == sys::PackageStatus::installed);
        CHECK(host.packages.now.version == "0.2.0");
        CHECK(host.kept().back() == "0.2.0");
        CHECK_FALSE(host.exists(files::kJournal));
        CHECK_FALSE(host.exists(files::kIncoming));
    }
}

TEST_CASE("a repository is of no use for an image") {
    Host host;
    Request request = host.install_request();
    request.bundle.clear();
    request.from_repo = kUrl;
    CHECK(host.run(request).exit() == InstallerExit::usage);
}

TEST_CASE("an export has the files for every kind of host, of a repository that is trusted") {
    RepositoryHost host;
    const auto files = repository_export(host.ports, kUrl, {});
    REQUIRE(files);
    for (const char* path : {"README.txt", "apt/etc/apt/sources.list.d/picket.sources",
                             "apt/usr/share/keyrings/picket-archive-keyring.gpg", "dnf/etc/yum.repos.d/picket.repo",
                             "zypper/etc/zypp/repos.d/picket.repo", "zypper/etc/pki/rpm-gpg/RPM-GPG-KEY-picket-2"})
        CHECK_MESSAGE(std::any_of(files->begin(), files->end(),
                                  [&](const sys::RepositoryFile& file) { return file.path == path; }),
                      path);
    host.repositories.signature = "other";
    CHECK_FALSE(repository_export(host.ports, kUrl, {}));
}
