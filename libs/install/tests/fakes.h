#pragma once
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <picket/base/testing/fake_clock.h>
#include <picket/install/files.h>
#include <picket/install/session.h>
#include <picket/model/paths.h>

/// A host in memory and a scratch tree: what the installer's ports do to them can be failed or cut off anywhere.
namespace picket::install::fakes {

using testing::FakeClock;

/// Thrown where a kill is simulated: everything on "disk" stays as it is.
struct Killed {};

/// One countdown for all interruptions: the n-th call of point() is the last one.
struct Fate {
    int kill_at = -1; ///< -1 = never
    int calls = 0;
    std::string fail_what; ///< a name given to fails()
    std::function<void(const std::string&)> on_point;

    void point(const std::string& where) {
        if (on_point)
            on_point(where);
        if (calls++ == kill_at)
            throw Killed{};
    }
    Result<void> fails(const std::string& what) {
        point(what);
        if (what == fail_what)
            return Error(ErrorCode::internal, what + " was made to fail");
        return {};
    }
};

class ScratchTree {
  public:
    ScratchTree() {
        // In memory where it can be: every journal write is an fsync.
        std::string name =
            access("/dev/shm", W_OK) == 0 ? "/dev/shm/picket-install-test-XXXXXX" : "/tmp/picket-install-test-XXXXXX";
        path_ = mkdtemp(name.data());
    }
    ~ScratchTree() {
        const auto removed = std::system(("rm -rf '" + path_ + "'").c_str());
        (void)removed;
    }
    ScratchTree(const ScratchTree&) = delete;
    ScratchTree& operator=(const ScratchTree&) = delete;
    const std::string& path() const { return path_; }
    /// Every path below the tree with its content, directories as "/".
    std::map<std::string, std::string> contents() const;

  private:
    std::string path_;
};

class FakePackages final : public sys::PackageManager {
  public:
    explicit FakePackages(Fate& fate) : fate_(fate) {}
    std::string_view name() const override { return "dpkg"; }
    Result<sys::PackageState> state(const std::string&) override { return now; }
    Result<sys::PackageFile> inspect(const std::string& file) override {
        const std::string name = file.substr(file.rfind('/') + 1); // fetched ones are VERSION.deb
        return sys::PackageFile{"picket", name.substr(0, name.rfind('.')), "amd64"};
    }
    Result<void> install(const std::string& file) override {
        const std::string name = file.substr(file.rfind('/') + 1); // kept ones are VERSION_SHA256.deb
        const std::string version = name.find('_') == std::string::npos ? "0.1.0" : name.substr(0, name.find('_'));
        now = {sys::PackageStatus::broken, version, "half-installed"};
        PICKET_TRY(fate_.fails("packages.install"));
        PICKET_TRY(fate_.fails("packages.install " + version));
        now = {sys::PackageStatus::installed, version, "installed"};
        installed.push_back(version);
        return {};
    }
    Result<void> remove(const std::string&, sys::PackageRemoval removal) override {
        if (now.status == sys::PackageStatus::absent)
            return {};
        PICKET_TRY(fate_.fails("packages.remove"));
        removals.push_back(removal);
        now = removal == sys::PackageRemoval::purge ? sys::PackageState{}
                                                    : sys::PackageState{sys::PackageStatus::config_files, "0.1.0", ""};
        return {};
    }
    Result<void> finish(const std::string&) override {
        if (!finishes)
            return Error(ErrorCode::internal, "it has to be installed anew");
        now.status = sys::PackageStatus::installed;
        return {};
    }

    sys::PackageState now;
    std::vector<sys::PackageRemoval> removals;
    std::vector<std::string> installed; ///< versions, in their order
    bool finishes = true;               ///< rpm does not

  private:
    Fate& fate_;
};

class FakeServices final : public sys::ServiceManager {
  public:
    FakeServices(Fate& fate, FakePackages& packages, std::string kind)
        : packages_(packages), fate_(fate), kind_(kind) {}
    std::string_view name() const override { return kind_; }
    Result<std::vector<sys::UnitStatus>> status(const std::vector<std::string>& units) override {
        std::vector<sys::UnitStatus> all;
        const bool known = packages_.now.status == sys::PackageStatus::installed;
        for (const std::string& unit : units) // all but the target are static
            all.push_back({unit, known, enabled.contains(unit) || (known && !unit.ends_with(".target")),
                           active.contains(unit), ""});
        return all;
    }
    Result<void> enable(const std::vector<std::string>& units) override {
        PICKET_TRY(fate_.fails("services.enable"));
        enabled.insert(units.begin(), units.end());
        return {};
    }
    Result<void> disable(const std::vector<std::string>& units) override {
        for (const std::string& unit : units)
            enabled.erase(unit);
        return fate_.fails("services.disable");
    }
    Result<void> start(const std::vector<std::string>& units, Milliseconds) override {
        active.insert(units.begin(), units.end());
        return fate_.fails("services.start");
    }
    Result<void> stop(const std::vector<std::string>& units, Milliseconds) override {
        for (const std::string& unit : units)
            active.erase(unit);
        return fate_.fails("services.stop");
    }
    std::set<std::string> enabled;
    std::set<std::string> active;
    FakePackages& packages_;

  private:
    Fate& fate_;
    std::string kind_;
};

class FakeTrust final : public TrustPort {
  public:
    explicit FakeTrust(const sys::Root& root) : root_(root) {}
    Result<OnboardingMaterial> open_onboarding(const std::string& path, const std::string&) override {
        if (path == "missing.zip")
            return Error(ErrorCode::not_found, "missing.zip: No such file or directory");
        if (path == "tampered.zip")
            return Error(ErrorCode::invalid_input, "tampered.zip: the signature does not fit");
        return onboarding;
    }
    Result<BundleMaterial> open_bundle(const std::string& path) override {
        if (path == "tampered.tar.gz")
            return Error(ErrorCode::corrupt, "tampered.tar.gz: package/picket.deb: digest mismatch");
        const std::string incoming = files::kIncoming;
        PICKET_TRY(root_.make_directories(incoming + "/definitions", 0700));
        PICKET_TRY(root_.write_atomically(incoming + "/picket.deb", "deb", 0600));
        PICKET_TRY(root_.write_atomically(incoming + "/definitions/eicar.ndb", "definitions", 0600));
        PICKET_TRY(root_.write_atomically(incoming + "/picket-installer", "program", 0700));
        return bundle;
    }
    Result<std::string> verify_by_release_key(std::string_view, const std::string& signature) override {
        if (signature != "signed")
            return Error(ErrorCode::conflict, "signed by another key");
        return comment;
    }
    std::string comment = "picket-archive-keyring valid-until=2200-01-01T00:00:00Z";
    std::string key_of(const std::string& document) override {
        return document.find("org-2") == std::string::npos ? "RWkey1" : "RWother";
    }
    OnboardingMaterial onboarding{
        "org-1",          "Acme",   R"({"organisation":{"id":"org-1","name":"Acme"},"tags":{"site":"ham"}})",
        "secret-token",   "RWkey1", {{"base", R"({"antivirusEngine":{}})"}},
        {{"site", "ham"}}};
    BundleMaterial bundle{"picket.tar.gz",
                          "aa",
                          "0.1.0",
                          "picket.deb",
                          "picket-installer",
                          "2026.11.24",
                          "definitions",
                          {},
                          WallTime(std::chrono::seconds(1'819'065'600)), // 2027-08-24
                          "9cfa1468c93fc18652e34a000f0c6614b0fa18f6f4887477ad9b0d36ca6a7eaa"};

  private:
    const sys::Root& root_;
};

class FakeDefinitions final : public DefinitionsPort {
  public:
    FakeDefinitions(Fate& fate, const sys::Root& root) : fate_(fate), root_(root) {}
    std::string current() override { return root_.read(paths::kCurrentDefinitions, kibibytes(1)).value_or(""); }
    Result<void> install(const std::string&, const std::string& wanted) override {
        PICKET_TRY(root_.make_directories(paths::kDefinitionsDirectory, 0755));
        PICKET_TRY(root_.write_atomically(paths::kCurrentDefinitions, wanted, 0644));
        return fate_.fails("definitions.install");
    }
    Result<void> remove(const std::string&, const std::string& previous) override {
        if (previous.empty()) {
            PICKET_TRY(root_.remove(paths::kCurrentDefinitions));
            PICKET_TRY(root_.remove(paths::kDefinitionsDirectory));
        } else {
            PICKET_TRY(root_.write_atomically(paths::kCurrentDefinitions, previous, 0644));
        }
        return fate_.fails("definitions.remove");
    }

  private:
    Fate& fate_;
    const sys::Root& root_;
};

class FakeDaemon final : public DaemonPort {
  public:
    FakeDaemon(Fate& fate, FakeServices& services, FakeClock& clock)
        : fate_(fate), services_(services), clock_(clock) {}
    Result<data::Json> health() override {
        PICKET_TRY(fate_.fails("daemon.health"));
        if (services_.active.empty())
            return Error(ErrorCode::unavailable, "nobody answers on /run/picket/control.sock");
        data::Json all = answer;
        all["app_version"] = running.empty() ? services_.packages_.now.version : running;
        if (!sick_version.empty() && all["app_version"] == sick_version)
            all["healthy"] = false;
        return all;
    }
    Result<SelfTest> self_test() override {
        if (!fate_.fails("daemon.self_test") || services_.packages_.now.version == unproved_version)
            return SelfTest{false, "the file could be opened"};
        return SelfTest{true, "denied and quarantined"};
    }
    void pause(Milliseconds time) override { clock_.advance(time); }
    std::string recent_log() override { return "the engine cannot start\n"; }
    data::Json answer{{"healthy", true}};
    std::string running; ///< the version that answers; "" = the package's
    std::string sick_version;
    std::string unproved_version;

  private:
    Fate& fate_;
    FakeServices& services_;
    FakeClock& clock_;
};

class FakeHost final : public HostPort {
  public:
    explicit FakeHost(Fate& fate) : fate_(fate) {}
    CheckAnswer check(const CheckRequest& request) override {
        last = request;
        CheckAnswer answer;
        answer.checks.push_back({{"id", "kernel.version"}, {"status", failure ? "fail" : "pass"}});
        answer.failure = failure;
        const auto accepts = [&](const char* id) {
            return std::find(request.accepted.begin(), request.accepted.end(), id) != request.accepted.end();
        };
        if (broken && !accepts("product.installed") && !failure)
            answer.failure = Failure{InstallerExit::broken_installation, "product.installed: files are missing", ""};
        const std::pair<const char*, const std::optional<CheckInput>*> inputs[] = {
            {"bundle.trusted", &request.bundle},
            {"bundle.expiry", &request.bundle_expiry},
            {"onboarding.valid", &request.onboarding}};
        for (const auto& [id, input] : inputs)
            if (*input && !answer.failure && !accepts(id))
                answer.failure = (*input)->failure;
        return answer;
    }
    Result<void> wait_for_package_manager(Milliseconds) override {
        const auto waited = fate_.fails("host.wait");
        return waited ? waited : Result<void>(Error(ErrorCode::unavailable, "apt-get (pid 812) holds the lock"));
    }
    std::string distribution() override { return release; }
    std::string release = "Debian GNU/Linux 11 (bullseye)";
    std::optional<Failure> failure;
    bool broken = false;
    CheckRequest last;

  private:
    Fate& fate_;
};

class FakeProfiles final : public ProfilePort {
  public:
    Result<std::string> render(const std::string& path) override {
        if (path == "bad.yaml")
            return Error(ErrorCode::invalid_input, "bad.yaml:2:1: no such key; did you mean \"scanArchives\"?");
        return "{\"from\":\"" + path + "\"}\n";
    }
};

/// The real journal file, with a point of death before and after each write.
class MortalJournal final : public JournalStore {
  public:
    MortalJournal(const sys::Root& root, Fate& fate) : file_(root), fate_(fate) {}
    Result<std::optional<Journal>> load() override { return file_.load(); }
    Result<void> save(const Journal& journal) override {
        fate_.point("journal.before");
        PICKET_TRY(file_.save(journal));
        fate_.point("journal.after");
        return {};
    }
    Result<void> clear() override {
        fate_.point("journal.before_clear");
        PICKET_TRY(file_.clear());
        fate_.point("journal.after_clear");
        return {};
    }

  private:
    JournalFile file_;
    Fate& fate_;
};

class QuietProgress final : public ProgressSink {
  public:
    void began(const install::Step& step, std::size_t, std::size_t) override { steps.push_back(step.id); }
    void ended(const JournalStep&, std::size_t, std::size_t) override {}
    void note(const std::string& text) override { notes.push_back(text); }
    std::vector<std::string> steps;
    std::vector<std::string> notes;
};

/// The first of that name; null where there is none.
inline const StepReport* step_of(const Report& report, std::string_view id) {
    for (const StepReport& step : report.steps)
        if (step.id == id)
            return &step;
    return nullptr;
}

/// The words for a unit's state are the service manager's: no plan predicts them.
inline void forget_unit_states(Report& report) {
    for (auto& unit : report.after["units"])
        unit.erase("state");
}

/// All of it. The services say "systemd" but the tree is a scratch directory, so steps of the running host are
/// planned by `as_running_host`.
struct Host {
    ScratchTree tree;
    sys::Root root = sys::Root::open(tree.path()).value();
    Fate fate;
    FakeClock clock;
    FakePackages packages{fate};
    FakeServices services{fate, packages, "systemd"};
    FakeTrust trust{root};
    FakeDefinitions definitions{fate, root};
    FakeDaemon daemon{fate, services, clock};
    FakeHost host{fate};
    FakeProfiles profiles;
    Ports ports{root, &packages, services, trust, definitions, daemon, host, profiles, clock, false};
    MortalJournal journal{root, fate};
    QuietProgress progress;
    std::atomic<bool> stop{false};

    Host() {
        for (const char* directory : {"/etc", "/usr/sbin", "/var/lib", "/run"})
            REQUIRE(root.make_directories(directory, 0755));
    }
    Report run(Request request) {
        progress = {};
        Session session(ports, journal, progress, stop);
        request.is_root = true;
        return session.run(request);
    }
    /// A dry run says what the run then leads to, and touches nothing. Gives what the dry run said.
    Report check_prediction(Request request) {
        request.dry_run = true;
        const auto before = tree.contents();
        Report planned = run(request);
        CHECK(tree.contents() == before);
        request.dry_run = false;
        Report done = run(request);
        forget_unit_states(planned);
        forget_unit_states(done);
        CHECK(planned.before == done.before);
        CHECK(planned.after == done.after);
        return planned;
    }
    Request install_request() const {
        Request request;
        request.verb = VerbKind::install;
        request.onboarding = "acme.zip";
        request.bundle = "picket.tar.gz";
        request.tags = {{"role", "web"}};
        return request;
    }
    bool exists(const char* path) const { return root.exists(path); }
    /// Runs and is killed at the n-th point of death; false where the run ended before.
    bool run_killed_at(const Request& request, int n) {
        fate.calls = 0;
        fate.kill_at = n;
        bool killed = false;
        try {
            (void)run(request);
        } catch (const Killed&) {
            killed = true;
        }
        fate.kill_at = -1;
        return killed;
    }
};

} // namespace picket::install::fakes
