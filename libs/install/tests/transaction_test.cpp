#include <doctest/doctest.h>

#include "fakes.h"

using namespace picket;
using namespace picket::install;
using fakes::Host;

namespace {

/// Absent: as an untouched host. Installed: as after an undisturbed install.
bool is_absent(const Host& host) {
    bool files_gone = true;
    for (const auto& [path, content] : host.tree.contents())
        files_gone = files_gone && path.back() == '/' && path.find("picket") == std::string::npos;
    return files_gone && host.packages.now.status != sys::PackageStatus::installed &&
           host.packages.now.status != sys::PackageStatus::broken && host.services.active.empty() &&
           host.services.enabled.empty();
}
bool is_installed(const Host& host) {
    return host.packages.now.status == sys::PackageStatus::installed && !host.services.active.empty() &&
           host.exists(paths::kOnboarding) && host.exists(files::kReceipt) && !host.exists(files::kJournal) &&
           !host.exists(files::kStaged) && !host.exists(files::kBackup);
}

Request uninstall_request() {
    Request request;
    request.verb = VerbKind::uninstall;
    request.uninstall_mode = UninstallMode::purge;
    return request;
}

} // namespace

TEST_CASE("each step made to fail in turn: everything is undone, 21, and the cause is named") {
    for (const char* what :
         {"packages.install", "services.enable", "services.start", "definitions.install", "daemon.health"}) {
        CAPTURE(what);
        Host host;
        host.fate.fail_what = what;
        const Report report = host.run(host.install_request());
        CHECK(report.exit() == InstallerExit::installation_failed);
        CHECK_FALSE(report.changed);
        CHECK(is_absent(host));
        if (report.failure)
            CHECK(report.failure->message.find(what) != std::string::npos);
    }
}

TEST_CASE("the step that failed and the steps that were undone are told") {
    Host host;
    host.fate.fail_what = "services.start";
    const Report report = host.run(host.install_request());
    for (const StepReport& step : report.steps) {
        if (step.id == "services.start")
            CHECK(step.status == "failed");
        if (step.id == "package.install")
            CHECK(step.status == "undone");
        if (step.id == "selftest.run")
            CHECK(step.status == "skipped");
    }
}

TEST_CASE("a package manager that stays locked is 27, with nothing changed") {
    Host host;
    host.fate.fail_what = "host.wait";
    const Report report = host.run(host.install_request());
    CHECK(report.exit() == InstallerExit::package_manager_busy);
    CHECK(is_absent(host));
}

TEST_CASE("killed at every single point, the next install ends installed and an uninstall ends absent") {
    for (int n = 0; n < 500; ++n) {
        CAPTURE(n);
        Host host;
        if (!host.run_killed_at(host.install_request(), n)) {
            CHECK(n > 40); // the loop met every point
            break;
        }
        const Report again = host.run(host.install_request());
        CHECK_MESSAGE(!again.failure, (again.failure ? again.failure->message : ""));
        CHECK(is_installed(host));
        CHECK(host.run(uninstall_request()).exit() == InstallerExit::success);
        CHECK(is_absent(host));
    }
}

TEST_CASE("killed at every single point, any other verb first makes it absent or installed") {
    for (int n = 0; n < 500; ++n) {
        CAPTURE(n);
        Host host;
        if (!host.run_killed_at(host.install_request(), n))
            break;
        Request request;
        request.verb = VerbKind::self_test;
        (void)host.run(request);
        CHECK((is_absent(host) || is_installed(host)));
    }
}

TEST_CASE("killed once more while undoing, it still converges") {
    for (int n = 0; n < 500; n += 7) {
        for (const int m : {0, 3, 4, 5, 11}) {
            CAPTURE(n);
            CAPTURE(m);
            Host host;
            if (!host.run_killed_at(host.install_request(), n))
                return;
            Request request;
            request.verb = VerbKind::self_test;
            (void)host.run_killed_at(request, m);
            (void)host.run(request);
            CHECK((is_absent(host) || is_installed(host)));
        }
    }
}

TEST_CASE("an uninstall killed at every single point is finished by the next run") {
    for (int n = 0; n < 500; ++n) {
        CAPTURE(n);
        Host host;
        (void)host.run(host.install_request());
        if (!host.run_killed_at(uninstall_request(), n)) {
            CHECK(n > 10);
            break;
        }
        CHECK(host.run(uninstall_request()).exit() == InstallerExit::success);
        CHECK(is_absent(host));
    }
}

TEST_CASE("an onboard killed at every single point leaves the old identity or the new one, whole") {
    for (int n = 0; n < 500; ++n) {
        CAPTURE(n);
        Host host;
        (void)host.run(host.install_request());
        const auto old_files = host.tree.contents();
        host.trust.onboarding.document = R"({"organisation":{"id":"org-1","name":"Acme"},"issued":"later"})";
        host.trust.onboarding.token = "another";
        Request request = host.install_request();
        request.verb = VerbKind::onboard;
        const bool killed = host.run_killed_at(request, n);
        Request look;
        look.verb = VerbKind::self_test;
        (void)host.run(look);
        const std::string document = host.root.read(paths::kOnboarding, kibibytes(4)).value_or("");
        const std::string token = host.root.read(paths::kEnrolmentToken, kibibytes(4)).value_or("");
        const bool is_new = document == host.trust.onboarding.document && token == "another";
        CHECK((is_new || (document == old_files.at(paths::kOnboarding) && token == "secret-token")));
        if (!killed)
            break;
    }
}

TEST_CASE("status says what a killed run left, and changes nothing") {
    Host host;
    REQUIRE(host.run_killed_at(host.install_request(), 9));
    const auto before = host.tree.contents();
    Request request;
    request.verb = VerbKind::status;
    const Report report = host.run(request);
    CHECK(report.exit() == InstallerExit::success);
    CHECK_FALSE(report.changed);
    CHECK(report.after["interrupted_run"]["verb"] == "install");
    CHECK(report.after["interrupted_run"]["state"] == "interrupted");
    CHECK(host.tree.contents() == before);
}

TEST_CASE("a stop request at any step of an install undoes it: 130") {
    for (int n = 0; n < 100; ++n) {
        CAPTURE(n);
        Host host;
        int point = 0;
        host.fate.on_point = [&](const std::string&) {
            if (point++ == n)
                host.stop = true;
        };
        const Report report = host.run(host.install_request());
        if (!host.stop)
            break;
        // Past the last step there is nothing left to stop.
        if (report.exit() != InstallerExit::success) {
            CHECK(report.exit() == InstallerExit::interrupted);
            CHECK(is_absent(host));
        } else {
            CHECK(is_installed(host));
        }
    }
}

TEST_CASE("a rollback keeps what was there before the install") {
    Host host;
    REQUIRE(host.root.make_directories(paths::kManagedDirectory, 0755));
    REQUIRE(host.root.write_atomically("/etc/picket/managed.d/50-ansible.json", "{}", 0644));
    REQUIRE(host.root.write_atomically(paths::kTags, "{\"old\":\"tag\"}", 0640));
    const auto before = host.tree.contents();
    host.fate.fail_what = "daemon.health";
    (void)host.run(host.install_request());
    CHECK(host.tree.contents() == before);
    CHECK((host.root.status(paths::kTags).value().st_mode & 07777) == 0640);
    CHECK(host.packages.removals == std::vector<sys::PackageRemoval>{sys::PackageRemoval::keep_configuration});
}

TEST_CASE("where undoing fails the journal stays, and the next run goes on undoing") {
    Host host;
    int calls = 0;
    host.fate.fail_what = "daemon.health";
    host.fate.on_point = [&](const std::string& where) {
        if (where == "packages.remove" && calls++ == 0)
            host.fate.fail_what = "packages.remove";
    };
    const Report report = host.run(host.install_request());
    CHECK(report.exit() == InstallerExit::installation_failed);
    CHECK(report.failure->message.find("undoing it failed") != std::string::npos);
    CHECK(host.exists(files::kJournal));
    host.fate.fail_what = "";
    CHECK(host.run(host.install_request()).exit() == InstallerExit::success);
    CHECK(is_installed(host));
}

TEST_CASE("a journal full of zero bytes stops nobody") {
    Host host;
    REQUIRE(host.root.make_directories(paths::kInstallDirectory, 0700));
    REQUIRE(host.root.write_atomically(files::kJournal, std::string(512, '\0'), 0600));
    CHECK(host.run(host.install_request()).exit() == InstallerExit::success);
    CHECK(is_installed(host));
}

TEST_CASE("a journal survives writing and reading") {
    Journal journal{
        .verb = "install", .started = "2026-11-24T22:00:00.000Z", .recovery = Recovery::undo, .verify_from = 3};
    journal.steps.push_back({Step{"package.install", "install it", {{"version", "1"}}, true},
                             StepStatus::running,
                             {{"status", "absent"}},
                             "dpkg",
                             12});
    const auto again = journal_from(to_json(journal));
    REQUIRE(again.has_value());
    CHECK(to_json(*again) == to_json(journal));
    CHECK_FALSE(journal_from({{"schema", 2}}).has_value());
    CHECK_FALSE(journal_from(data::Json::array()).has_value());
}
