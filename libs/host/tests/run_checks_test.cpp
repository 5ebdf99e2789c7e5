#include <doctest/doctest.h>

#include <algorithm>

#include <picket/host/check.h>

#include "host_tree.h"

using namespace picket;
using namespace picket::host;
using picket::host::testing::HostTree;

namespace {

const SystemClock kClock;

const CheckResult& find(const std::vector<CheckResult>& results, std::string_view id) {
    const auto result = std::find_if(results.begin(), results.end(), [&](const CheckResult& r) { return r.id == id; });
    REQUIRE(result != results.end());
    return *result;
}

CheckResult failed(std::string id, InstallerExit exit_code = InstallerExit::requirement_not_met) {
    return {.id = std::move(id), .status = CheckStatus::fail, .exit_code = exit_code};
}

} // namespace

TEST_CASE("every check of the interface is there, once, in order, with all it needs to say") {
    const std::vector<std::string> ids = {"system.root",
                                          "system.architecture",
                                          "distro.supported",
                                          "kernel.version",
                                          "fanotify.compiled",
                                          "fanotify.permission_events",
                                          "fanotify.usable",
                                          "fanotify.conflict",
                                          "memory.total",
                                          "disk.space",
                                          "disk.inodes",
                                          "mount.noexec",
                                          "filesystem.supported",
                                          "service_manager",
                                          "package_manager.idle",
                                          "package_manager.consistent",
                                          "clock.sane",
                                          "security_module",
                                          "secure_boot",
                                          "immutable_root",
                                          "container",
                                          "product.installed",
                                          "network.endpoints",
                                          "network.proxy",
                                          "network.tls_interception",
                                          "bundle.trusted",
                                          "bundle.expiry",
                                          "onboarding.valid"};
    CHECK(check_ids() == ids);
    const sys::Root root = sys::Root::open().value();
    const auto results = run_checks({.root = root, .clock = kClock});
    REQUIRE(results);
    REQUIRE(results->size() == ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const CheckResult& result = (*results)[i];
        CAPTURE(result.id);
        CHECK(result.id == ids[i]);
        CHECK_FALSE(result.observed.empty());
        if (result.status == CheckStatus::fail || result.status == CheckStatus::warn)
            CHECK_FALSE(result.fix.empty());
        const data::Json json = to_json(result);
        CHECK(data::string_or(json, "id", "") == ids[i]);
        CHECK(data::string_or(json, "status", "") == to_string(result.status));
        CHECK(data::string_or(json, "severity", "") == to_string(result.severity));
        for (const char* key : {"observed", "required", "fix"})
            CHECK(data::get_string(json, key));
    }
    CHECK(find(*results, "network.proxy").observed == "no onboarding package was given");
    CHECK(find(*results, "kernel.version").status == CheckStatus::pass);
    CHECK((geteuid() == 0) == (find(*results, "system.root").status == CheckStatus::pass));
    if (geteuid() != 0)
        CHECK(exit_code_of(*results) == InstallerExit::not_root);
}

TEST_CASE("with --root, what only the running kernel can say is skipped") {
    const HostTree tree;
    tree.file("/etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("/var/lib/dpkg/status", "Package: a\nStatus: install ok installed\n");
    const sys::Root root = tree.root();
    const auto results = run_checks({.root = root, .clock = kClock});
    REQUIRE(results);
    for (const char* id :
         {"kernel.version", "fanotify.compiled", "fanotify.permission_events", "fanotify.usable", "fanotify.conflict",
          "memory.total", "mount.noexec", "filesystem.supported", "security_module", "secure_boot", "container"})
        CHECK(find(*results, id).status == CheckStatus::skip);
    CHECK(find(*results, "distro.supported").status == CheckStatus::pass);
    CHECK(find(*results, "package_manager.consistent").status == CheckStatus::pass);
    CHECK(find(*results, "product.installed").status == CheckStatus::pass);
    CHECK(find(*results, "service_manager").status == CheckStatus::warn);
}

TEST_CASE("the exit code is that of the first failure in the published order") {
    const std::vector<CheckResult> order = {failed("system.root", InstallerExit::not_root),
                                            failed("distro.supported", InstallerExit::unsupported_version),
                                            failed("fanotify.conflict", InstallerExit::fanotify_conflict),
                                            failed("package_manager.consistent", InstallerExit::package_manager_busy),
                                            failed("bundle.trusted", InstallerExit::bundle_refused),
                                            failed("onboarding.valid", InstallerExit::onboarding_refused),
                                            failed("product.installed", InstallerExit::broken_installation),
                                            failed("kernel.version")};
    const std::vector<int> codes = {3, 11, 5, 27, 28, 31, 15, 12};
    std::vector<CheckResult> results(order.rbegin(), order.rend());
    for (const int code : codes) {
        CHECK(static_cast<int>(exit_code_of(results)) == code);
        results.pop_back();
    }
    CHECK(exit_code_of(results) == InstallerExit::success);
    CHECK(first_failure(results) == nullptr);
    CHECK(exit_code_of({{.id = "system.root", .status = CheckStatus::warn}}) == InstallerExit::success);
}

TEST_CASE("a failure can be accepted by name, and stays visible") {
    const HostTree tree;
    tree.file("/etc/os-release", "ID=alpine\nVERSION_ID=3.20\n");
    const sys::Root root = tree.root();
    const auto refused = run_checks({.root = root, .clock = kClock});
    CHECK(find(*refused, "distro.supported").status == CheckStatus::fail);
    CHECK(find(*refused, "distro.supported").exit_code == InstallerExit::unsupported_distro);
    const auto accepted = run_checks({.root = root, .clock = kClock, .accepted = {"distro.supported", "clock.sane"}});
    REQUIRE(accepted);
    const CheckResult& distro = find(*accepted, "distro.supported");
    CHECK(distro.status == CheckStatus::warn);
    CHECK(distro.accepted);
    CHECK(distro.observed.find("accepted") != std::string::npos);
    CHECK(data::bool_or(to_json(distro), "accepted", false));
    CHECK_FALSE(find(*accepted, "clock.sane").accepted); // it did not fail
}

TEST_CASE("what cannot be accepted, and what does not exist, is refused with a word") {
    const HostTree tree;
    const sys::Root root = tree.root();
    for (const char* id : {"system.root", "system.architecture", "bundle.trusted"}) {
        const auto results = run_checks({.root = root, .clock = kClock, .accepted = {id}});
        REQUIRE_FALSE(results);
        CHECK(results.error().code() == ErrorCode::invalid_input);
        CHECK(results.error().message().find(id) != std::string::npos);
    }
    const auto misspelt = validate_accepted({"memory.totl"});
    REQUIRE_FALSE(misspelt);
    CHECK(misspelt.error().message().find("did you mean \"memory.total\"") != std::string::npos);
    CHECK_FALSE(validate_accepted({"something entirely different"}));
    CHECK(validate_accepted({"fanotify.conflict", "bundle.expiry"}));
    CHECK_FALSE(run_checks({.root = root, .clock = kClock, .support_matrix = "nonsense"}));
}

TEST_CASE("the caller's own checks are taken in") {
    const HostTree tree;
    const sys::Root root = tree.root();
    const auto results =
        run_checks({.root = root,
                    .clock = kClock,
                    .accepted = {"bundle.expiry"},
                    .supplied = {{.id = "bundle.trusted", .observed = "release key 1"},
                                 {.id = "bundle.expiry", .status = CheckStatus::fail, .observed = "expired"},
                                 {.id = "onboarding.valid",
                                  .status = CheckStatus::fail,
                                  .observed = "no such file",
                                  .exit_code = InstallerExit::onboarding_not_found}}});
    REQUIRE(results);
    CHECK(find(*results, "bundle.trusted").status == CheckStatus::pass);
    CHECK(find(*results, "bundle.expiry").accepted);
    CHECK(find(*results, "bundle.expiry").exit_code == InstallerExit::bundle_refused);
    CHECK(find(*results, "onboarding.valid").exit_code == InstallerExit::onboarding_not_found);
    const auto none = run_checks({.root = root, .clock = kClock});
    CHECK(find(*none, "bundle.trusted").status == CheckStatus::skip);
    CHECK(find(*none, "onboarding.valid").status == CheckStatus::skip);
}

TEST_SUITE("root") {

    TEST_CASE("on this host the kernel's fanotify is found usable") {
        const sys::Root root = sys::Root::open().value();
        const auto results = run_checks({.root = root, .clock = kClock});
        REQUIRE(results);
        CHECK(find(*results, "fanotify.usable").status == CheckStatus::pass);
        CHECK(find(*results, "fanotify.compiled").status != CheckStatus::fail);
        CHECK(find(*results, "fanotify.permission_events").status != CheckStatus::fail);
        CHECK(find(*results, "system.root").status == CheckStatus::pass);
    }

} // TEST_SUITE
