#include <doctest/doctest.h>

#include <picket/install/kept_packages.h>
#include <picket/install/version_order.h>

#include "fakes.h"

using namespace picket;
using namespace picket::install;
using fakes::Host;
using fakes::step_of;

namespace {

/// A host with 0.1.0, installed from its bundle; the bundle at hand now is of `offered`.
struct Upgradable : Host {
    explicit Upgradable(const std::string& offered = "0.2.0") {
        REQUIRE(run(install_request()).exit() == InstallerExit::success);
        trust.bundle.version = offered;
    }
    static Request upgrade_request() {
        Request request;
        request.verb = VerbKind::upgrade;
        request.bundle = "picket.tar.gz";
        return request;
    }
    static Request rollback_request() {
        Request request;
        request.verb = VerbKind::rollback;
        return request;
    }
    Report upgrade() { return run(upgrade_request()); }
    Report roll_back() { return run(rollback_request()); }
    std::vector<std::string> kept() const {
        std::vector<std::string> versions;
        for (const KeptPackage& package : kept_packages(root))
            versions.push_back(package.version);
        return versions;
    }
    /// No journal, nothing staged, a whole package, and services that run.
    bool whole() const {
        return packages.now.status == sys::PackageStatus::installed && !services.active.empty() &&
               !exists(files::kJournal) && !exists(files::kStaged) && !exists(files::kIncoming) &&
               !exists(files::kBackup) && exists(paths::kOnboarding) && exists(files::kReceipt);
    }
    void lose_kept_packages() {
        for (const KeptPackage& package : kept_packages(root))
            REQUIRE(root.remove(package.path));
    }
};

} // namespace

TEST_CASE("versions are ordered as people count") {
    CHECK(is_older("0.9.0", "0.10.0"));
    CHECK_FALSE(is_older("0.10.0", "0.9.0"));
    CHECK_FALSE(is_older("0.2.0", "0.2.0"));
    CHECK(is_older("0.2", "0.2.1"));
}

TEST_CASE("install keeps its package; uninstall takes it away") {
    Upgradable host;
    CHECK(host.kept() == std::vector<std::string>{"0.1.0"});
    Request uninstall;
    uninstall.verb = VerbKind::uninstall;
    CHECK(host.run(uninstall).exit() == InstallerExit::success);
    CHECK_FALSE(host.exists(files::kKeptPackages));
}

TEST_CASE("upgrade puts the new version in place, proves it, and leaves the way back") {
    Upgradable host;
    const Report report = host.upgrade();
    REQUIRE_MESSAGE(!report.failure, (report.failure ? report.failure->message : ""));
    CHECK(report.changed);
    CHECK(report.before["version"] == "0.1.0");
    CHECK(report.before["way_back"] == nullptr);
    CHECK(report.after["version"] == "0.2.0");
    CHECK(report.after["way_back"] == "0.1.0");
    CHECK(report.checks.back()["id"] == "upgrade.way_back");
    CHECK(report.checks.back()["status"] == "pass");
    CHECK(step_of(report, "selftest.run")->status == "done");
    CHECK(host.kept() == std::vector<std::string>{"0.1.0", "0.2.0"});
    CHECK(host.whole());
    const Report again = host.upgrade();
    CHECK(again.exit() == InstallerExit::success);
    CHECK_FALSE(again.changed);
    CHECK(again.after["way_back"] == "0.1.0");
}

TEST_CASE("a dry run of upgrade and rollback predicts what the run leads to, and touches nothing") {
    for (const VerbKind verb : {VerbKind::upgrade, VerbKind::rollback}) {
        CAPTURE(to_string(verb));
        Upgradable host;
        if (verb == VerbKind::rollback)
            REQUIRE(host.upgrade().exit() == InstallerExit::success);
        CHECK(host.check_prediction(verb == VerbKind::upgrade ? Upgradable::upgrade_request()
                                                              : Upgradable::rollback_request())
                  .changed);
    }
}

TEST_CASE("ten versions are skipped, and what is older than the last two is not kept") {
    Upgradable host("0.11.0");
    CHECK(host.upgrade().after["version"] == "0.11.0");
    host.trust.bundle.version = "0.12.0";
    CHECK(host.upgrade().after["way_back"] == "0.11.0");
    CHECK(host.kept() == std::vector<std::string>{"0.11.0", "0.12.0"});
}

TEST_CASE("a version whose self-test fails goes back by itself: 21, and the one before is proved again") {
    Upgradable host;
    host.daemon.unproved_version = "0.2.0";
    const Report report = host.upgrade();
    CHECK(report.exit() == InstallerExit::installation_failed);
    CHECK_FALSE(report.changed);
    CHECK(report.after["version"] == "0.1.0");
    CHECK(report.failure->message.find("self-test") != std::string::npos);
    CHECK(report.failure->fix.find("0.1.0 is back and protects") != std::string::npos);
    CHECK(step_of(report, "package.upgrade")->status == "undone");
    CHECK(report.steps.back().status == "done");
    CHECK(host.whole());
    CHECK(host.kept() == std::vector<std::string>{"0.1.0"});
    CHECK(host.root.read("/var/log/picket/upgrade-0.2.0.log", kibibytes(64)).value().find("the engine cannot start") !=
          std::string::npos);
    CHECK_FALSE(host.exists(files::kUnproved));
}

TEST_CASE("a version that never becomes healthy, or that does not run at all, goes back within a minute") {
    Upgradable host;
    SUBCASE("sick") {
        host.daemon.sick_version = "0.2.0";
    }
    SUBCASE("the old one runs on") {
        host.daemon.running = "0.1.0";
    }
    const auto before = host.clock.monotonic();
    const Report report = host.upgrade();
    CHECK(report.exit() == InstallerExit::installation_failed);
    CHECK(host.clock.monotonic() - before < Milliseconds(50'000));
    CHECK(report.after["version"] == "0.1.0");
    CHECK(host.whole());
}

TEST_CASE("a package manager that refuses the new package leaves the old one at work") {
    Upgradable host;
    host.fate.fail_what = "packages.install 0.2.0";
    const Report report = host.upgrade();
    CHECK(report.exit() == InstallerExit::installation_failed);
    CHECK(report.after["version"] == "0.1.0");
    CHECK(host.whole());
}

TEST_CASE("old programs that run on after the package went in are started anew") {
    Upgradable host;
    host.daemon.running = "0.1.0";
    bool stopped = false;
    host.fate.on_point = [&](const std::string& where) {
        if (where == "services.stop" && !stopped) {
            stopped = true;
            host.daemon.running.clear();
        }
    };
    CHECK(host.upgrade().exit() == InstallerExit::success);
    CHECK(stopped);
    CHECK(host.whole());
}

TEST_CASE("an older version is refused unless it is asked for") {
    Upgradable host("0.0.9");
    const Report refused = host.upgrade();
    CHECK(refused.exit() == InstallerExit::requirement_not_met);
    CHECK_FALSE(refused.changed);
    CHECK(refused.failure->message == "Picket 0.1.0 is installed, and 0.0.9 is older");
    Request request = Upgradable::upgrade_request();
    request.allow_downgrade = true;
    const Report report = host.run(request);
    CHECK(report.after["version"] == "0.0.9");
    CHECK(report.after["way_back"] == "0.1.0");
}

TEST_CASE("what is held back stays, unless its version is named; a bundle of another version is refused") {
    Upgradable host;
    Request request = Upgradable::upgrade_request();
    request.version = "0.3.0";
    const Report other = host.run(request);
    CHECK(other.exit() == InstallerExit::requirement_not_met);
    CHECK(other.failure->message == "0.3.0 is wanted, and the bundle holds 0.2.0");
    host.packages.now.held_by = "apt-mark hold";
    const Report held = host.upgrade();
    CHECK(held.exit() == InstallerExit::requirement_not_met);
    CHECK(held.failure->message == "Picket is held at 0.1.0 (apt-mark hold picket)");
    CHECK_FALSE(held.changed);
    request.version = "0.2.0";
    CHECK(host.run(request).after["version"] == "0.2.0");
}

TEST_CASE("without the package of the version before, the plan says beforehand that there is no way back") {
    Upgradable host;
    host.lose_kept_packages();
    Request dry = Upgradable::upgrade_request();
    dry.dry_run = true;
    const Report planned = host.run(dry);
    CHECK(step_of(planned, "package.upgrade")->title.find("no way back") != std::string::npos);
    CHECK(planned.checks.back()["status"] == "warn");
    CHECK(planned.after["way_back"] == nullptr);
    SUBCASE("a good version goes in all the same") {
        CHECK(host.upgrade().exit() == InstallerExit::success);
        CHECK(host.roll_back().exit() == InstallerExit::requirement_not_met);
    }
    SUBCASE("a bad one stays, and the run says so") {
        host.daemon.unproved_version = "0.2.0";
        const Report report = host.upgrade();
        CHECK(report.exit() == InstallerExit::self_test_failed);
        CHECK(report.after["version"] == "0.2.0");
        CHECK(report.after["unproved"] == true);
        CHECK(host.whole());
    }
    SUBCASE("a sick one stays as well") {
        host.daemon.sick_version = "0.2.0";
        const Report report = host.upgrade();
        CHECK(report.exit() == InstallerExit::self_test_failed);
        CHECK(report.after["version"] == "0.2.0");
        CHECK(host.whole());
    }
    SUBCASE("install with the old bundle keeps it") {
        host.trust.bundle.version = "0.1.0";
        CHECK(host.run(host.install_request()).changed);
        CHECK(host.kept() == std::vector<std::string>{"0.1.0"});
    }
}

TEST_CASE("without a way back and killed at every single point, the next run ends with a whole package") {
    for (const bool finishes : {true, false})
        for (int n = 0; n < 500; ++n) {
            CAPTURE(finishes);
            CAPTURE(n);
            Upgradable host;
            host.lose_kept_packages();
            host.packages.finishes = finishes;
            if (!host.run_killed_at(Upgradable::upgrade_request(), n))
                break;
            CHECK(host.upgrade().exit() == InstallerExit::success);
            CHECK(host.packages.now.version == "0.2.0");
            CHECK(host.whole());
        }
}

TEST_CASE("rollback goes one version back, once") {
    Upgradable host;
    CHECK(host.roll_back().exit() == InstallerExit::requirement_not_met);
    REQUIRE(host.upgrade().exit() == InstallerExit::success);
    const Report report = host.roll_back();
    CHECK(report.exit() == InstallerExit::success);
    CHECK(report.changed);
    CHECK(report.after["version"] == "0.1.0");
    CHECK(report.after["way_back"] == nullptr);
    CHECK(host.whole());
    CHECK(host.roll_back().exit() == InstallerExit::requirement_not_met);
    CHECK(host.upgrade().after["version"] == "0.2.0"); // and forward again
}

TEST_CASE("a rollback whose self-test fails stays where it was") {
    Upgradable host;
    REQUIRE(host.upgrade().exit() == InstallerExit::success);
    host.daemon.unproved_version = "0.1.0";
    const Report report = host.roll_back();
    CHECK(report.exit() == InstallerExit::installation_failed);
    CHECK(report.after["version"] == "0.2.0");
    CHECK(report.after["way_back"] == "0.1.0");
    CHECK(host.whole());
}

TEST_CASE("a kept package that was changed is not installed") {
    Upgradable host;
    REQUIRE(host.upgrade().exit() == InstallerExit::success);
    REQUIRE(host.root.write_atomically(kept_packages(host.root).front().path, "forged", 0600));
    const Report report = host.roll_back();
    CHECK(report.exit() == InstallerExit::bundle_refused);
    CHECK(report.after["version"] == "0.2.0");
    CHECK(host.packages.installed.back() == "0.2.0");
}

TEST_CASE("where the host's package manager has put in another version since, the way back is the installer's own") {
    Upgradable host;
    host.packages.now.version = "0.3.0";
    const Report report = host.roll_back();
    CHECK(report.exit() == InstallerExit::success);
    CHECK(report.after["version"] == "0.1.0");
}

TEST_CASE("upgrade and rollback of a host without Picket say so") {
    Host host;
    CHECK(host.run(Upgradable::upgrade_request()).exit() == InstallerExit::not_installed);
    CHECK(host.run(Upgradable::rollback_request()).exit() == InstallerExit::not_installed);
}

TEST_CASE("a forged bundle changes nothing; no bundle at all is told") {
    Upgradable host;
    Request request = Upgradable::upgrade_request();
    for (const char* bundle : {"tampered.tar.gz", ""}) {
        request.bundle = bundle;
        const Report report = host.run(request);
        CHECK(report.exit() == InstallerExit::bundle_refused);
        CHECK(report.after["version"] == "0.1.0");
        CHECK(host.whole());
    }
}

TEST_CASE("killed at every single point, the next upgrade ends upgraded, and any other verb leaves the host whole") {
    for (const VerbKind verb : {VerbKind::upgrade, VerbKind::rollback})
        for (const VerbKind next : {VerbKind::upgrade, VerbKind::self_test})
            for (int n = 0; n < 500; ++n) {
                CAPTURE(to_string(verb));
                CAPTURE(to_string(next));
                CAPTURE(n);
                Upgradable host;
                if (verb == VerbKind::rollback)
                    REQUIRE(host.upgrade().exit() == InstallerExit::success);
                Request request =
                    verb == VerbKind::upgrade ? Upgradable::upgrade_request() : Upgradable::rollback_request();
                if (!host.run_killed_at(request, n)) {
                    CHECK(n > 20); // the loop met every point
                    break;
                }
                Request other = Upgradable::upgrade_request();
                other.verb = next;
                CHECK(host.run(other).exit() == InstallerExit::success);
                CHECK(host.whole());
                if (next == VerbKind::upgrade)
                    CHECK(host.packages.now.version == "0.2.0");
            }
}
