#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <picket/sys/services.h>

using namespace picket;
using namespace picket::sys;

namespace {
namespace fs = std::filesystem;
} // namespace

TEST_CASE("in an image a unit is enabled by a link, and nothing is started") {
    std::string top = "/tmp/picket-services-test-XXXXXX";
    REQUIRE(mkdtemp(top.data()) != nullptr);
    fs::create_directories(top + "/lib/systemd/system");
    std::ofstream(top + "/lib/systemd/system/picket.target") << "[Unit]\n";
    {
        const auto root = Root::open(top).value();
        const auto services = service_manager_of(root, {});
        CHECK(services->name() == "image");
        CHECK_FALSE(services->status({"picket.target"})->front().enabled);
        CHECK(services->enable({"no-such.service"}).error().code() == ErrorCode::not_found);
        REQUIRE(services->enable({"picket.target"}).has_value());
        REQUIRE(services->enable({"picket.target"}).has_value());
        const auto status = services->status({"picket.target"}).value().front();
        CHECK(status.enabled);
        CHECK(status.known);
        CHECK_FALSE(status.active);
        CHECK(fs::read_symlink(top + "/etc/systemd/system/multi-user.target.wants/picket.target") ==
              "/lib/systemd/system/picket.target");
        CHECK(services->start({"picket.target"}, Milliseconds(1)).has_value());
        REQUIRE(services->disable({"picket.target"}).has_value());
        CHECK_FALSE(services->status({"picket.target"})->front().enabled);
    }
    fs::remove_all(top);
}

TEST_CASE("without a service manager: a supervisor that does not stop, and what it left, are ended" *
          doctest::skip(fs::exists("/run/systemd/system"))) {
    std::string top = "/tmp/picket-services-test-XXXXXX";
    REQUIRE(mkdtemp(top.data()) != nullptr);
    const std::string program = top + "/sleeper";
    fs::copy_file("/usr/bin/sleep", program);
    {
        const auto root = Root::open("/").value();
        const std::string script =
            "exec 9>" + top + "/lock; flock -n 9 || exit 1; " + program + " 300 >/dev/null 2>&1 &";
        const auto services = service_manager_of(root, {.start_command = {"/bin/sh", "-c", script},
                                                        .stop_command = {"/bin/false"},
                                                        .lock_file = top + "/lock",
                                                        .programs = {program}});
        CHECK(services->name() == "supervisor");
        CHECK_FALSE(services->status({"picketd.service"})->front().active);
        REQUIRE(services->start({"picketd.service"}, Milliseconds(10'000)).has_value());
        CHECK(services->status({"picketd.service"})->front().active);
        CHECK(services->start({"picketd.service"}, Milliseconds(10'000)).has_value()); // runs already
        REQUIRE(services->stop({"picketd.service"}, Milliseconds(10'000)).has_value());
        CHECK_FALSE(services->status({"picketd.service"})->front().active);
    }
    fs::remove_all(top);
}
