#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <picket/sys/packages.h>
#include <picket/sys/process.h>

using namespace picket;
using namespace picket::sys;

namespace {

namespace fs = std::filesystem;

/// An empty dpkg tree, and packages made on the spot.
class DpkgTree {
  public:
    DpkgTree() {
        std::string name = "/tmp/picket-dpkg-test-XXXXXX";
        top_ = mkdtemp(name.data());
        fs::create_directories(top_ + "/root/var/lib/dpkg/info");
        fs::create_directories(top_ + "/root/var/lib/dpkg/updates");
        fs::create_directories(top_ + "/root/tmp");
        std::ofstream(top_ + "/root/var/lib/dpkg/status") << "";
        std::ofstream(top_ + "/root/var/lib/dpkg/available") << "";
    }
    ~DpkgTree() { fs::remove_all(top_); }
    std::string root() const { return top_ + "/root"; }
    std::string make_package(const std::string& depends, const std::string& preinst = "") const {
        const std::string tree = top_ + "/package";
        fs::remove_all(tree);
        fs::create_directories(tree + "/DEBIAN");
        fs::create_directories(tree + "/usr/share/picket-test");
        std::ofstream(tree + "/usr/share/picket-test/file") << "content\n";
        std::ofstream control(tree + "/DEBIAN/control");
        control << "Package: picket-test\nVersion: 1.2-3\nArchitecture: all\nMaintainer: T <t@example.org>\n";
        if (!depends.empty())
            control << "Depends: " << depends << "\n";
        control << "Description: a test\n";
        control.close();
        if (!preinst.empty()) {
            std::ofstream(tree + "/DEBIAN/preinst") << preinst;
            fs::permissions(tree + "/DEBIAN/preinst", fs::perms(0755));
        }
        std::string file = top_ + "/picket-test.deb";
        REQUIRE(run({"dpkg-deb", "--root-owner-group", "-b", tree, file})->ok());
        return file;
    }

  private:
    std::string top_;
};

} // namespace

TEST_CASE("a Depends field is understood") {
    const auto parsed = parse_depends("libc6 (>= 2.17), passwd | shadow, libx:any (<< 2~), a [amd64], , ( ");
    REQUIRE(parsed.size() == 4);
    CHECK(parsed[0][0].name == "libc6");
    CHECK(parsed[0][0].relation == ">=");
    CHECK(parsed[0][0].version == "2.17");
    CHECK(parsed[1].size() == 2);
    CHECK(parsed[1][1].name == "shadow");
    CHECK(parsed[2][0].name == "libx");
    CHECK(parsed[2][0].version == "2~");
    CHECK(parsed[3][0].name == "a");
}

TEST_CASE("a tree without a package manager is told so") {
    const auto root = Root::open("/proc").value();
    CHECK(package_manager_of(root).error().code() == ErrorCode::not_found);
}

TEST_CASE("a damaged package file is corrupt" * doctest::skip(!fs::exists("/usr/bin/dpkg-deb"))) {
    const DpkgTree tree;
    const auto root = Root::open(tree.root()).value();
    const auto packages = package_manager_of(root)->get()->inspect("/etc/hostname");
    CHECK(packages.error().code() == ErrorCode::corrupt);
}

TEST_SUITE("root") {
    TEST_CASE("a package goes in, is seen, goes out and is purged, in an image" *
              doctest::skip(!fs::exists("/usr/bin/dpkg-deb"))) {
        const DpkgTree tree;
        const auto root = Root::open(tree.root()).value();
        auto opened = package_manager_of(root);
        const auto packages = std::move(opened).value();
        const std::string file = tree.make_package("");
        CHECK(packages->inspect(file)->version == "1.2-3");
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
        REQUIRE(packages->install(file).has_value());
        CHECK(packages->state("picket-test")->status == PackageStatus::installed);
        CHECK(packages->state("picket-test")->version == "1.2-3");
        CHECK(root.exists("/usr/share/picket-test/file"));
        REQUIRE(packages->remove("picket-test", PackageRemoval::purge).has_value());
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
        CHECK_FALSE(root.exists("/usr/share/picket-test/file"));
        CHECK(packages->remove("picket-test", PackageRemoval::purge).has_value()); // nothing to do is no error
    }

    TEST_CASE("missing dependencies are named, and nothing was installed" *
              doctest::skip(!fs::exists("/usr/bin/dpkg-deb"))) {
        const DpkgTree tree;
        const auto root = Root::open(tree.root()).value();
        auto opened = package_manager_of(root);
        const auto packages = std::move(opened).value();
        const auto installed = packages->install(tree.make_package("nosuch-library (>= 3), other"));
        REQUIRE_FALSE(installed.has_value());
        CHECK(installed.error().code() == ErrorCode::not_found);
        CHECK(installed.error().message().find("nosuch-library (>= 3), other") != std::string::npos);
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
    }

    TEST_CASE("a package that a failure left unpacked is seen as broken, and can be removed" *
              doctest::skip(!fs::exists("/usr/bin/dpkg-deb"))) {
        const DpkgTree tree;
        const auto root = Root::open(tree.root()).value();
        auto opened = package_manager_of(root);
        const auto packages = std::move(opened).value();
        const std::string file = tree.make_package("nosuch-library");
        (void)run({"dpkg", "--root=" + tree.root(), "--unpack", file});
        CHECK(packages->state("picket-test")->status == PackageStatus::broken);
        REQUIRE(packages->remove("picket-test", PackageRemoval::purge).has_value());
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
    }
}
