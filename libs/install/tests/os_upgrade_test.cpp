#include <doctest/doctest.h>

#include <picket/install/kept_packages.h>

#include "fakes.h"

using namespace picket;
using namespace picket::install;
using fakes::Host;
using fakes::step_of;

namespace {

Request request_of(VerbKind verb) {
    Request request;
    request.verb = verb;
    return request;
}

/// A host with 0.1.0, installed from its bundle, on Debian 11.
struct Upgraded : Host {
    Upgraded() { REQUIRE(run(install_request()).exit() == InstallerExit::success); }

    Report prepare() { return run(request_of(VerbKind::os_upgrade_prepare)); }
    Report finish() { return run(request_of(VerbKind::os_upgrade_finish)); }
    /// The programs gone, all else there: what finish needs, and what the host is.
    bool prepared() const {
        return packages.now.status == sys::PackageStatus::config_files && services.active.empty() &&
               exists(paths::kOsUpgrade) && exists(files::kInstaller) && exists(files::kSparedInstaller) &&
               exists(files::kReceipt) && exists(paths::kOnboarding) && !exists(files::kJournal);
    }
    bool whole() const {
        return packages.now.status == sys::PackageStatus::installed && !services.active.empty() &&
               !exists(paths::kOsUpgrade) && !exists(files::kSparedInstaller) && exists(files::kInstaller) &&
               exists(files::kReceipt) && exists(paths::kOnboarding) && !exists(files::kJournal) &&
               !exists(files::kBackup);
    }
    void new_release() { host.release = "Debian GNU/Linux 12 (bookworm)"; }
};

} // namespace

TEST_CASE("prepare takes the programs, keeps what the host is, and says that nothing protects it") {
    Upgraded host;
    const Report report = host.prepare();
    REQUIRE_MESSAGE(!report.failure, (report.failure ? report.failure->message : ""));
    CHECK(report.changed);
    CHECK(host.prepared());
    CHECK(host.packages.removals == std::vector{sys::PackageRemoval::keep_configuration});
    CHECK(report.checks.back()["id"] == "os_upgrade.package");
    CHECK(report.checks.back()["status"] == "pass");
    CHECK(report.after["installed"] == false);
    CHECK(report.after["onboarded"] == true);
    CHECK(report.after["os_upgrade"]["from"] == "Debian GNU/Linux 11 (bullseye)");
    CHECK(report.after["os_upgrade"]["version"] == "0.1.0");
    CHECK(report.after["os_upgrade"]["by"].get<std::string>() != "");
    CHECK(report.after["os_upgrade"]["since"].get<std::string>() != "");
    const Report status = host.run(request_of(VerbKind::status));
    CHECK(status.after["os_upgrade"] == report.after["os_upgrade"]);
    SUBCASE("a second time changes nothing, and the first one's word stays") {
        host.clock.advance(std::chrono::hours(1));
        const Report again = host.prepare();
        CHECK(again.exit() == InstallerExit::success);
        CHECK_FALSE(again.changed);
        CHECK(again.after["os_upgrade"] == report.after["os_upgrade"]);
    }
    SUBCASE("whatever else wants Picket is told why it is not there") {
        for (const VerbKind verb : {VerbKind::upgrade, VerbKind::rollback, VerbKind::self_test, VerbKind::onboard}) {
            const Report told = host.run(request_of(verb));
            CHECK(told.exit() == InstallerExit::not_installed);
            CHECK(told.failure->message.find("for an upgrade of the operating system") != std::string::npos);
            CHECK(told.failure->fix.find("os-upgrade finish") != std::string::npos);
        }
    }
    SUBCASE("uninstall ends it") {
        Request purge = request_of(VerbKind::uninstall);
        purge.uninstall_mode = UninstallMode::purge;
        CHECK(host.run(purge).exit() == InstallerExit::success);
        CHECK(host.tree.contents().empty());
    }
}

TEST_CASE("finish puts back what was there, on the new release and on the old one") {
    Upgraded host;
    host.definitions.install("", "2026.12.31").value();
    REQUIRE(host.prepare().exit() == InstallerExit::success);
    std::string expected = "still Debian GNU/Linux 11 (bullseye)";
    SUBCASE("new") {
        host.new_release();
        expected = "Debian GNU/Linux 11 (bullseye) -> Debian GNU/Linux 12 (bookworm)";
    }
    SUBCASE("the upgrade was given up") {}
    const Report report = host.finish();
    REQUIRE_MESSAGE(!report.failure, (report.failure ? report.failure->message : ""));
    CHECK(report.verb == "os-upgrade finish");
    CHECK(report.changed);
    CHECK(host.whole());
    CHECK(step_of(report, "os_upgrade.resume")->detail == expected);
    CHECK(step_of(report, "selftest.run")->detail == "denied and quarantined");
    CHECK(report.after["version"] == "0.1.0");
    CHECK(report.after["os_upgrade"] == nullptr);
    CHECK(report.after["tags"] == data::Json{{"role", "web"}, {"site", "ham"}});
    CHECK(report.after["definitions"] == "2026.12.31");
    const Report again = host.finish();
    CHECK(again.exit() == InstallerExit::success);
    CHECK_FALSE(again.changed);
    host.trust.bundle.version = "0.2.0";
    Request upgrade = request_of(VerbKind::upgrade);
    upgrade.bundle = "picket.tar.gz";
    CHECK(host.run(upgrade).after["way_back"] == "0.1.0"); // the package that it came back from is still kept
}

TEST_CASE("finish with a bundle takes its version; an older one only where that is wanted") {
    Upgraded host;
    REQUIRE(host.prepare().exit() == InstallerExit::success);
    Request finish = request_of(VerbKind::os_upgrade_finish);
    finish.bundle = "picket.tar.gz";
    SUBCASE("of the same version") {
        CHECK(host.run(finish).exit() == InstallerExit::success);
        CHECK(host.whole());
    }
    SUBCASE("older") {
        host.trust.bundle.version = "0.0.9";
        const Report refused = host.run(finish);
        CHECK(refused.exit() == InstallerExit::requirement_not_met);
        CHECK(refused.failure->message == "Picket 0.1.0 was installed before, and 0.0.9 is older");
        CHECK(host.prepared());
        finish.allow_downgrade = true;
        CHECK(host.run(finish).exit() == InstallerExit::success);
    }
    SUBCASE("forged") {
        finish.bundle = "tampered.tar.gz";
        CHECK(host.run(finish).exit() == InstallerExit::bundle_refused);
        CHECK(host.prepared());
    }
}

TEST_CASE("without the package prepare says beforehand that finish needs a bundle, and finish asks for it") {
    Upgraded host;
    for (const KeptPackage& package : kept_packages(host.root)) {
        SUBCASE("gone") {
            REQUIRE(host.root.remove(package.path));
        }
        SUBCASE("changed") {
            REQUIRE(host.root.write_atomically(package.path, "forged", 0600));
        }
    }
    Request dry = request_of(VerbKind::os_upgrade_prepare);
    dry.dry_run = true;
    const Report planned = host.run(dry);
    CHECK(planned.checks.back()["status"] == "warn");
    CHECK(planned.checks.back()["fix"].get<std::string>().find("--bundle FILE") != std::string::npos);
    REQUIRE(host.prepare().exit() == InstallerExit::success);
    const Report report = host.finish();
    CHECK(report.exit() == InstallerExit::bundle_refused);
    CHECK(host.prepared());
    Request finish = request_of(VerbKind::os_upgrade_finish);
    finish.bundle = "picket.tar.gz";
    CHECK(host.run(finish).exit() == InstallerExit::success);
    CHECK(host.whole());
}

TEST_CASE("a finish that fails leaves the host prepared: 21, and what would help") {
    Upgraded host;
    REQUIRE(host.prepare().exit() == InstallerExit::success);
    SUBCASE("the package does not go in") {
        host.fate.fail_what = "packages.install";
    }
    SUBCASE("it does not become healthy") {
        host.daemon.answer["healthy"] = false;
    }
    const Report report = host.finish();
    CHECK(report.exit() == InstallerExit::installation_failed);
    CHECK_FALSE(report.changed);
    CHECK(host.exists(files::kInstaller));
    CHECK(host.prepared());
    host.fate.fail_what.clear();
    host.daemon.answer["healthy"] = true;
    CHECK(host.finish().exit() == InstallerExit::success);
    CHECK(host.whole());
}

TEST_CASE("a prepare that fails leaves the host protected: 22") {
    Upgraded host;
    host.fate.fail_what = "packages.remove";
    const Report report = host.prepare();
    CHECK(report.exit() == InstallerExit::uninstallation_failed);
    CHECK_FALSE(report.changed);
    CHECK(host.whole());
    CHECK(report.after["os_upgrade"] == nullptr);
}

TEST_CASE("install after prepare ends it too") {
    Upgraded host;
    REQUIRE(host.prepare().exit() == InstallerExit::success);
    CHECK(host.run(host.install_request()).exit() == InstallerExit::success);
    CHECK(host.whole());
}

TEST_CASE("prepare and finish on a host without Picket say so") {
    Host host;
    for (const VerbKind verb : {VerbKind::os_upgrade_prepare, VerbKind::os_upgrade_finish})
        CHECK(host.run(request_of(verb)).exit() == InstallerExit::not_installed);
}

TEST_CASE("a dry run of prepare and finish predicts what the run leads to, and touches nothing") {
    for (const VerbKind verb : {VerbKind::os_upgrade_prepare, VerbKind::os_upgrade_finish}) {
        CAPTURE(to_string(verb));
        Upgraded host;
        if (verb == VerbKind::os_upgrade_finish)
            REQUIRE(host.prepare().exit() == InstallerExit::success);
        CHECK(host.check_prediction(request_of(verb)).changed);
    }
}

TEST_CASE("an organisation that was taken away stays away") {
    Upgraded host;
    REQUIRE(host.run(request_of(VerbKind::offboard)).exit() == InstallerExit::success);
    REQUIRE(host.prepare().exit() == InstallerExit::success);
    const Report report = host.finish();
    CHECK(report.exit() == InstallerExit::success);
    CHECK(report.after["onboarded"] == false);
}

TEST_CASE("killed at every single point, prepare is carried on and finish is undone, and both can be done then") {
    for (const VerbKind verb : {VerbKind::os_upgrade_prepare, VerbKind::os_upgrade_finish})
        for (int n = 0; n < 500; ++n) {
            CAPTURE(to_string(verb));
            CAPTURE(n);
            Upgraded host;
            if (verb == VerbKind::os_upgrade_finish)
                REQUIRE(host.prepare().exit() == InstallerExit::success);
            if (!host.run_killed_at(request_of(verb), n)) {
                CHECK(n > 10); // the loop met every point
                break;
            }
            CHECK(host.run(request_of(verb)).exit() == InstallerExit::success);
            CHECK((verb == VerbKind::os_upgrade_prepare ? host.prepared() : host.whole()));
        }
}
