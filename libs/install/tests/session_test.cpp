#include <doctest/doctest.h>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <picket/install/lock.h>

#include "fakes.h"

using namespace picket;
using namespace picket::install;
using fakes::Host;

namespace {

std::vector<std::string> ids_of(const Report& report) {
    std::vector<std::string> ids;
    for (const StepReport& step : report.steps)
        ids.push_back(step.id);
    return ids;
}

mode_t mode_of(const Host& host, const char* path) {
    return host.root.status(path).value().st_mode & 07777;
}

} // namespace

TEST_CASE("install brings everything and says so") {
    Host host;
    const Report report = host.run(host.install_request());
    REQUIRE_MESSAGE(!report.failure, (report.failure ? report.failure->message : ""));
    CHECK(report.changed);
    CHECK(host.packages.now.status == sys::PackageStatus::installed);
    CHECK(host.services.active.contains("picketd.service"));
    CHECK(host.services.enabled.contains("picket.target"));
    CHECK(host.definitions.current() == "2026.11.24");
    CHECK(mode_of(host, paths::kOnboarding) == 0600);
    CHECK(mode_of(host, paths::kEnrolmentToken) == 0600);
    CHECK(host.root.read("/etc/picket/managed.d/10-onboarding-base.json", kibibytes(1)).has_value());
    CHECK(data::parse_json(host.root.read(paths::kTags, kibibytes(1)).value()).value() ==
          data::Json{{"role", "web"}, {"site", "ham"}});
    CHECK(report.before["installed"] == false);
    CHECK(report.after["installed"] == true);
    CHECK(report.after["org_name"] == "Acme");
    const auto receipt = data::parse_json(host.root.read(files::kReceipt, kibibytes(64)).value()).value();
    CHECK(receipt["version"] == "0.1.0");
    CHECK(receipt["bundle"]["sha256"] == "aa");
    CHECK(receipt["organisation_key"] == "RWkey1");
    CHECK_FALSE(host.exists(files::kJournal));
    CHECK_FALSE(host.exists(files::kStaged));
    CHECK_FALSE(host.exists(files::kIncoming));
}

TEST_CASE("a second install plans nothing, changes nothing and says so") {
    Host host;
    (void)host.run(host.install_request());
    const auto before = host.tree.contents();
    const Report again = host.run(host.install_request());
    CHECK(again.exit() == InstallerExit::success);
    CHECK_FALSE(again.changed);
    CHECK(again.steps.empty());
    CHECK(host.progress.notes.back().find("Nothing to do") != std::string::npos);
    CHECK(host.tree.contents() == before);
}

TEST_CASE("install repairs what drifted, and only that") {
    Host host;
    (void)host.run(host.install_request());
    host.services.active.clear();
    const Report report = host.run(host.install_request());
    CHECK(report.changed);
    CHECK(ids_of(report) == std::vector<std::string>{"directories.prepare", "services.start", "health.wait",
                                                     "selftest.run", "receipt.write"});
}

TEST_CASE("a dry run shows the plan that install carries out, and touches nothing") {
    Host host;
    Request dry = host.install_request();
    dry.dry_run = true;
    const auto before = host.tree.contents();
    const Report planned = host.run(dry);
    CHECK(planned.dry_run);
    CHECK(planned.changed);
    CHECK(host.tree.contents() == before);
    CHECK(host.packages.now.status == sys::PackageStatus::absent);
    const Report done = host.run(host.install_request());
    CHECK(ids_of(planned) == ids_of(done));
}

TEST_CASE("a dry run predicts the state that the run leads to") {
    struct Row {
        const char* what;
        std::function<void(Host&)> drift;
        VerbKind verb;
        UninstallMode mode = UninstallMode::keep_state;
    };
    const std::vector<Row> rows{
        {"fresh", [](Host&) {}, VerbKind::install},
        {"stopped",
         [](Host& host) {
             (void)host.run(host.install_request());
             host.services.active.clear();
         },
         VerbKind::install},
        {"as wished", [](Host& host) { (void)host.run(host.install_request()); }, VerbKind::install},
        {"package gone",
         [](Host& host) {
             (void)host.run(host.install_request());
             host.packages.now = {sys::PackageStatus::config_files, "0.1.0", ""};
         },
         VerbKind::install},
        {"offboard", [](Host& host) { (void)host.run(host.install_request()); }, VerbKind::offboard},
        {"uninstall", [](Host& host) { (void)host.run(host.install_request()); }, VerbKind::uninstall},
        {"purge", [](Host& host) { (void)host.run(host.install_request()); }, VerbKind::uninstall,
         UninstallMode::purge},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        Host host;
        row.drift(host);
        Request request = host.install_request();
        request.verb = row.verb;
        request.uninstall_mode = row.mode;
        (void)host.check_prediction(request);
    }
}

TEST_CASE("no secret is in the plan, the report or the journal") {
    Host host;
    bool leaked = false;
    host.fate.on_point = [&](const std::string&) {
        for (const auto& [path, content] : host.tree.contents())
            if (path.find("journal.json") != std::string::npos && content.find("secret-token") != std::string::npos)
                leaked = true;
    };
    const Report report = host.run(host.install_request());
    CHECK_FALSE(leaked);
    CHECK(data::to_text(to_json(report)).find("secret-token") == std::string::npos);
}

TEST_CASE("inputs that are refused leave the host as it was") {
    struct Row {
        const char* what;
        std::function<void(Request&, Host&)> spoil;
        InstallerExit exit;
    };
    const std::vector<Row> rows{
        {"no such package", [](Request& r, Host&) { r.onboarding = "missing.zip"; },
         InstallerExit::onboarding_not_found},
        {"none at all", [](Request& r, Host&) { r.onboarding = ""; }, InstallerExit::onboarding_not_found},
        {"tampered", [](Request& r, Host&) { r.onboarding = "tampered.zip"; }, InstallerExit::onboarding_refused},
        {"bundle", [](Request& r, Host&) { r.bundle = "tampered.tar.gz"; }, InstallerExit::bundle_refused},
        {"no bundle", [](Request& r, Host&) { r.bundle = ""; }, InstallerExit::bundle_refused},
        {"profile", [](Request& r, Host&) { r.profiles = {"bad.yaml"}; }, InstallerExit::profile_refused},
        {"check",
         [](Request&, Host& h) {
             h.host.failure = Failure{InstallerExit::unsupported_distro, "Alpine", ""};
         },
         InstallerExit::unsupported_distro},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        Host host;
        Request request = host.install_request();
        row.spoil(request, host);
        const auto before = host.tree.contents();
        const Report report = host.run(request);
        CHECK(report.exit() == row.exit);
        CHECK_FALSE(report.changed);
        CHECK(host.tree.contents() == before);
        CHECK_FALSE(data::string_or(to_json(report)["error"], "fix", "").empty());
    }
}

TEST_CASE("a refused profile's message holds the suggestion") {
    Host host;
    Request request = host.install_request();
    request.profiles = {"bad.yaml"};
    CHECK(host.run(request).failure->message.find("did you mean") != std::string::npos);
}

TEST_CASE("a package of another organisation's key is refused unless --replace-org") {
    Host host;
    (void)host.run(host.install_request());
    host.trust.onboarding.public_key = "RWother";
    host.trust.onboarding.document = R"({"organisation":{"id":"org-2","name":"Other"}})";
    host.trust.onboarding.org_name = "Other";
    const auto before = host.tree.contents();
    CHECK(host.run(host.install_request()).exit() == InstallerExit::onboarding_refused);
    CHECK(host.tree.contents() == before);
    Request replace = host.install_request();
    replace.replace_org = true;
    const Report report = host.run(replace);
    CHECK(report.changed);
    CHECK(report.after["org_name"] == "Other");
}

TEST_CASE("install without a package keeps the identity of an onboarded host") {
    Host host;
    (void)host.run(host.install_request());
    host.services.active.clear();
    Request request = host.install_request();
    request.onboarding = "";
    const Report report = host.run(request);
    CHECK(report.exit() == InstallerExit::success);
    CHECK(report.after["org_name"] == "Acme");
}

TEST_CASE("install mends a broken installation from the bundle; without one it is 15") {
    Host host;
    (void)host.run(host.install_request());
    host.host.broken = true;
    Request without = host.install_request();
    without.bundle = "";
    CHECK(host.run(without).exit() == InstallerExit::broken_installation);
    const Report report = host.run(host.install_request());
    CHECK(report.exit() == InstallerExit::success);
    CHECK(report.changed);
    const auto ids = ids_of(report);
    CHECK(std::find(ids.begin(), ids.end(), "package.install") != ids.end());
    CHECK(std::find(ids.begin(), ids.end(), "selftest.run") != ids.end());
}

TEST_CASE("another version in the bundle is not put over an installed one") {
    Host host;
    (void)host.run(host.install_request());
    host.trust.bundle.version = "0.2.0";
    const Report report = host.run(host.install_request());
    CHECK(report.exit() == InstallerExit::requirement_not_met);
    CHECK_FALSE(report.changed);
}

TEST_CASE("near its date a bundle is installed with a warning, past it only where that is accepted") {
    struct Row {
        int days_left;
        bool warns;
    };
    for (const Row row : {Row{31, false}, Row{30, true}, Row{1, true}, Row{0, true}, Row{-400, true}}) {
        Host host;
        host.trust.bundle.expires = host.clock.wall() + std::chrono::days(row.days_left);
        Request request = host.install_request();
        for (const char* const version : {"0.1.0", "0.2.0"}) {
            host.trust.bundle.version = version;
            if (row.days_left <= 0) {
                CHECK(host.run(request).exit() == InstallerExit::bundle_refused);
                request.accepted = {"bundle.expiry"};
            }
            CHECK(host.run(request).exit() == InstallerExit::success);
            request.accepted.clear();
            if (request.verb == VerbKind::install) // it is here: nobody is turned away for what is there already
                CHECK(host.run(request).exit() == InstallerExit::success);
            const auto& expiry = host.host.last.bundle_expiry.value();
            CHECK(expiry.advice.empty() != row.warns);
            CHECK(expiry.observed.find(row.days_left > 0 ? "expires" : "expired") != std::string::npos);
            request.verb = VerbKind::upgrade;
        }
        CHECK(host.packages.now.version == "0.2.0");
    }
}

TEST_CASE("several profiles are written in their order, and a later set replaces them") {
    Host host;
    Request request = host.install_request();
    request.profiles = {"a.yaml", "b.yaml"};
    (void)host.run(request);
    CHECK(host.exists("/etc/picket/managed.d/30-install.json"));
    CHECK(host.exists("/etc/picket/managed.d/31-install.json"));
    request.profiles = {"c.yaml"};
    CHECK(host.run(request).changed);
    CHECK_FALSE(host.exists("/etc/picket/managed.d/31-install.json"));
    CHECK(host.exists("/etc/picket/managed.d/10-onboarding-base.json"));
}

TEST_CASE("a self-test that fails on a fresh install stays installed and exits 50") {
    Host host;
    host.fate.fail_what = "daemon.self_test";
    const Report report = host.run(host.install_request());
    CHECK(report.exit() == InstallerExit::self_test_failed);
    CHECK(report.changed);
    CHECK(host.packages.now.status == sys::PackageStatus::installed);
    CHECK(host.exists(files::kReceipt));
    CHECK_FALSE(host.exists(files::kJournal));
    CHECK(report.after["unproved"] == true);
}

TEST_CASE("what an install could not prove, the next one tries again") {
    Host host;
    host.fate.fail_what = "daemon.self_test";
    (void)host.run(host.install_request());
    Request dry = host.install_request();
    dry.dry_run = true;
    const Report planned = host.run(dry);
    CHECK(planned.changed);
    CHECK(planned.after["unproved"] == false);
    CHECK(host.run(host.install_request()).exit() == InstallerExit::self_test_failed);
    CHECK(host.packages.now.status == sys::PackageStatus::installed);
    host.fate.fail_what.clear();
    const Report proved = host.run(host.install_request());
    CHECK(proved.exit() == InstallerExit::success);
    CHECK(ids_of(proved) == std::vector<std::string>{"directories.prepare", "selftest.run", "receipt.write"});
    CHECK(proved.after["unproved"] == false);
    CHECK_FALSE(host.run(host.install_request()).changed);
}

TEST_CASE("selftest that passes, or uninstall, ends the doubt as well") {
    Host host;
    host.fate.fail_what = "daemon.self_test";
    (void)host.run(host.install_request());
    host.fate.fail_what.clear();
    Request request;
    SUBCASE("selftest") {
        request.verb = VerbKind::self_test;
    }
    SUBCASE("uninstall") {
        request.verb = VerbKind::uninstall;
    }
    request.is_root = true;
    CHECK(host.run(request).exit() == InstallerExit::success);
    CHECK_FALSE(host.exists(files::kUnproved));
}

TEST_CASE("a host that never becomes healthy is undone; one that protects is kept and its issues are named") {
    SUBCASE("unhealthy") {
        Host host;
        host.daemon.answer = {{"healthy", false},
                              {"engine_status", "failed"},
                              {"health_issues", {{{"name", "no_engine"}, {"message", "the engine does not start"}}}}};
        const Report report = host.run(host.install_request());
        CHECK(report.exit() == InstallerExit::installation_failed);
        CHECK(report.failure->message.find("the engine does not start") != std::string::npos);
        CHECK(host.packages.now.status == sys::PackageStatus::absent);
    }
    SUBCASE("protects") {
        Host host;
        host.daemon.answer = {{"healthy", false},
                              {"engine_status", "ready"},
                              {"real_time_protection_enabled", true},
                              {"real_time_protection_active", true},
                              {"health_issues", {{{"name", "unmarked"}, {"message", "/mnt cannot be watched"}}}}};
        const auto before = host.clock.monotonic();
        const Report report = host.run(host.install_request());
        CHECK(report.exit() == InstallerExit::success);
        CHECK(data::to_text(to_json(report)).find("/mnt cannot be watched") != std::string::npos);
        CHECK(host.clock.monotonic() - before < Milliseconds(10'000)); // not the 30 s that a dead engine is given
    }
}

TEST_CASE("an image gets files and links, and nothing is started or tested") {
    Host host;
    host.ports.image = true;
    const Report report = host.run(host.install_request());
    CHECK(report.exit() == InstallerExit::success);
    CHECK(host.services.active.empty());
    CHECK(host.services.enabled.contains("picket.target"));
    const auto ids = ids_of(report);
    CHECK(std::find(ids.begin(), ids.end(), "selftest.run") == ids.end());
    CHECK_FALSE(host.run(host.install_request()).changed);
}

TEST_CASE("two at once: the second is told and exits 60") {
    Host host;
    // Another process holds it: flock is per open file, so an own descriptor here would do, but a user meets a process.
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t other = fork();
    if (other == 0) {
        const auto lock = take_lock(host.root);
        (void)!write(ready[1], lock ? "y" : "n", 1);
        pause();
        _exit(0);
    }
    char answer = 0;
    REQUIRE(read(ready[0], &answer, 1) == 1);
    CHECK(answer == 'y');
    const Report report = host.run(host.install_request());
    CHECK(report.exit() == InstallerExit::already_running);
    CHECK(report.failure->message.find(std::to_string(other)) != std::string::npos);
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
    CHECK(host.run(host.install_request()).exit() == InstallerExit::success);
    close(ready[0]);
    close(ready[1]);
}

TEST_CASE("who is not root may look and not touch") {
    Host host;
    for (const VerbKind verb : {VerbKind::install, VerbKind::onboard, VerbKind::offboard, VerbKind::uninstall,
                                VerbKind::self_test, VerbKind::prepare_image}) {
        Session session(host.ports, host.journal, host.progress, host.stop);
        Request request = host.install_request();
        request.verb = verb;
        CHECK(session.run(request).exit() == InstallerExit::not_root);
    }
    for (const VerbKind verb : {VerbKind::check, VerbKind::status}) {
        Session session(host.ports, host.journal, host.progress, host.stop);
        Request request;
        request.verb = verb;
        CHECK(session.run(request).exit() == InstallerExit::success);
    }
    CHECK(host.tree.contents().empty());
}

TEST_CASE("onboard changes the identity of an installed host, offboard takes it and keeps the protection") {
    Host host;
    Request onboard = host.install_request();
    onboard.verb = VerbKind::onboard;
    onboard.bundle = "";
    CHECK(host.run(onboard).exit() == InstallerExit::not_installed);
    (void)host.run(host.install_request());
    CHECK_FALSE(host.run(onboard).changed);

    Request offboard;
    offboard.verb = VerbKind::offboard;
    const Report report = host.run(offboard);
    CHECK(report.changed);
    CHECK(report.after["onboarded"] == false);
    CHECK_FALSE(host.exists(paths::kOnboarding));
    CHECK_FALSE(host.exists(paths::kEnrolmentToken));
    CHECK_FALSE(host.exists("/etc/picket/managed.d/10-onboarding-base.json"));
    CHECK(host.services.active.contains("picketd.service"));
    CHECK(data::parse_json(host.root.read(paths::kTags, kibibytes(1)).value()).value() == data::Json{{"role", "web"}});
    CHECK_FALSE(host.run(offboard).changed);

    host.trust.onboarding.public_key = "RWother"; // after offboarding the host is free for another organisation
    const Report again = host.run(onboard);
    CHECK(again.exit() == InstallerExit::success);
    CHECK(again.changed);
}

TEST_CASE("uninstall --keep-state keeps identity and quarantine, --purge leaves only what is not ours") {
    Host host;
    (void)host.run(host.install_request());
    REQUIRE(host.root.make_directories(paths::kQuarantineDirectory, 0700));
    REQUIRE(host.root.write_atomically("/var/lib/picket/quarantine/00.data", "inert", 0600));
    Request request;
    request.verb = VerbKind::uninstall;
    CHECK(host.run(request).changed);
    CHECK(host.packages.now.status == sys::PackageStatus::config_files);
    CHECK(host.exists(paths::kOnboarding));
    CHECK(host.exists("/var/lib/picket/quarantine/00.data"));
    CHECK_FALSE(host.exists(files::kReceipt));
    CHECK_FALSE(host.run(request).changed);

    REQUIRE(host.root.write_atomically("/etc/picket/managed.d/note.txt", "an admin's", 0644));
    request.uninstall_mode = UninstallMode::purge;
    const Report purged = host.run(request);
    CHECK(purged.exit() == InstallerExit::success);
    CHECK(purged.changed);
    CHECK(host.packages.now.status == sys::PackageStatus::absent);
    const auto left = host.tree.contents();
    CHECK(left.contains("/etc/picket/managed.d/note.txt"));
    for (const auto& entry : left) {
        const std::string& path = entry.first;
        CHECK_MESSAGE(
            (path == "/etc/picket/" || path == "/etc/picket/managed.d/" || path == "/etc/picket/managed.d/note.txt"),
            path);
    }
    CHECK(data::to_text(to_json(purged)).find("/etc/picket/managed.d/note.txt") != std::string::npos);
}

TEST_CASE("purge follows no link that was put in place of a folder of ours") {
    Host host;
    (void)host.run(host.install_request());
    REQUIRE(host.root.make_directories("/home/user", 0755));
    REQUIRE(host.root.write_atomically("/home/user/thesis.data", "mine", 0644));
    REQUIRE(symlink("/home/user", (host.tree.path() + paths::kQuarantineDirectory).c_str()) == 0);
    Request request;
    request.verb = VerbKind::uninstall;
    request.uninstall_mode = UninstallMode::purge;
    (void)host.run(request);
    CHECK(host.exists("/home/user/thesis.data"));
}

TEST_CASE("uninstall works with a broken package, and says 22 where the package manager refuses") {
    Host host;
    (void)host.run(host.install_request());
    Request request;
    request.verb = VerbKind::uninstall;
    host.fate.fail_what = "packages.remove";
    const Report refused = host.run(request);
    CHECK(refused.exit() == InstallerExit::uninstallation_failed);
    CHECK(host.services.active.contains("picketd.service")); // it went on protecting
    CHECK_FALSE(host.exists(files::kJournal));
    host.fate.fail_what = "";
    host.packages.now.status = sys::PackageStatus::broken;
    CHECK(host.run(request).exit() == InstallerExit::success);
    CHECK(host.packages.now.status == sys::PackageStatus::config_files);
}

TEST_CASE("prepare-image forgets the host and stops the daemon, once") {
    Host host;
    (void)host.run(host.install_request());
    REQUIRE(host.root.write_atomically(paths::kMachineId, "m", 0644));
    REQUIRE(host.root.write_atomically(paths::kStateDatabase, "db", 0600));
    REQUIRE(host.root.write_atomically("/var/lib/picket/state.db-wal", "wal", 0600));
    Request request;
    request.verb = VerbKind::prepare_image;
    const Report report = host.run(request);
    CHECK(report.changed);
    CHECK_FALSE(host.exists(paths::kMachineId));
    CHECK_FALSE(host.exists(paths::kStateDatabase));
    CHECK_FALSE(host.exists("/var/lib/picket/state.db-wal"));
    CHECK(host.services.active.empty());
    CHECK(host.services.enabled.contains("picket.target"));
    CHECK(host.exists(paths::kOnboarding));
    CHECK_FALSE(host.run(request).changed);
}

TEST_CASE("selftest says 50 where it fails and 20 where nothing is installed") {
    Host host;
    Request request;
    request.verb = VerbKind::self_test;
    CHECK(host.run(request).exit() == InstallerExit::not_installed);
    (void)host.run(host.install_request());
    CHECK(host.run(request).exit() == InstallerExit::success);
    host.fate.fail_what = "daemon.self_test";
    CHECK(host.run(request).exit() == InstallerExit::self_test_failed);
}
