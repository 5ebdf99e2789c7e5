#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include <picket/sys/packages.h>
#include <picket/sys/process.h>

using namespace picket;
using namespace picket::sys;

namespace {

namespace fs = std::filesystem;

bool can_run() {
    return geteuid() == 0 && fs::exists("/usr/bin/rpm") && fs::exists("/usr/bin/rpmbuild");
}

/// A tree that holds this machine's rpm and an empty database of it, and packages made on the spot.
class RpmTree {
  public:
    RpmTree() {
        std::string name = "/tmp/picket-rpm-test-XXXXXX";
        top_ = mkdtemp(name.data());
        for (const char* directory : {"/root/tmp", "/root/var/tmp", "/root/etc/rpm", "/root/dev", "/root/root"})
            fs::create_directories(top_ + directory);
        std::ofstream(top_ + "/root/etc/rpm/macros") << "%_dbpath /var/lib/rpm\n%__plugindir %{nil}\n";
        std::ofstream(top_ + "/root/dev/null") << "";
        shell("for program in /usr/bin/rpm /bin/sh /bin/rm; do echo $program; ldd $program | grep -o '/[^ ]*'; done | "
              "sort -u | xargs cp -L --parents -t " +
              root() + "; cp -r --parents -t " + root() + " /usr/lib/rpm; rpm --root " + root() +
              " --dbpath /var/lib/rpm --initdb");
    }
    ~RpmTree() { fs::remove_all(top_); }
    RpmTree(const RpmTree&) = delete;
    RpmTree& operator=(const RpmTree&) = delete;
    std::string root() const { return top_ + "/root"; }

    /// The file is inside the tree, as the installer's staging folder is.
    std::string make_package(const std::string& version, const std::string& more = "") const {
        std::ofstream(top_ + "/spec")
            << "Name: picket-test\nVersion: " << version
            << "\nRelease: 3\nSummary: a test\nLicense: none\nBuildArch: noarch\nAutoReqProv: no\n"
            << more << "\n%description\na test\n%install\nmkdir -p %{buildroot}/usr/share/picket-test\n"
            << "echo " << version << " >%{buildroot}/usr/share/picket-test/file\n%files\n/usr/share/picket-test\n";
        const std::string build = "cd " + top_ + " && HOME=" + top_ + " rpmbuild -bb --quiet --define '_topdir " +
                                  top_ + "/build' --define '_rpmdir " + root() + "/tmp' --define " +
                                  "'_build_name_fmt %%{NAME}-%%{VERSION}.rpm' --define '_dbpath " + top_ + "/db' spec";
        shell(build);
        return root() + "/tmp/picket-test-" + version + ".rpm";
    }
    void rpm(const std::string& arguments) const { shell("chroot " + root() + " /usr/bin/rpm " + arguments); }
    void shell(const std::string& command) const {
        const auto outcome = run({"/bin/sh", "-c", command});
        REQUIRE(outcome.has_value());
        INFO(outcome->error_output);
        REQUIRE(outcome->ok());
    }

  private:
    std::string top_;
};

/// Another process that works on that database.
class LockedDatabase {
  public:
    explicit LockedDatabase(const std::string& root) {
        std::array<int, 2> ready{};
        REQUIRE(pipe(ready.data()) == 0);
        pid_ = fork();
        if (pid_ == 0) {
            const int fd = open((root + "/var/lib/rpm/.rpm.lock").c_str(), O_RDWR | O_CREAT, 0644);
            struct flock lock {};
            lock.l_type = F_WRLCK;
            const char answer = fcntl(fd, F_SETLK, &lock) == 0 ? 'y' : 'n';
            if (write(ready[1], &answer, 1) == 1)
                pause();
            _exit(0);
        }
        char answer = 0;
        REQUIRE(read(ready[0], &answer, 1) == 1);
        REQUIRE(answer == 'y');
        close(ready[0]);
        close(ready[1]);
    }
    ~LockedDatabase() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    LockedDatabase(const LockedDatabase&) = delete;
    LockedDatabase& operator=(const LockedDatabase&) = delete;

  private:
    pid_t pid_ = 0;
};

} // namespace

TEST_CASE("where a tree has both databases, what the distribution is decides") {
    std::string top = "/tmp/picket-rpm-test-XXXXXX";
    REQUIRE(mkdtemp(top.data()) != nullptr);
    fs::create_directories(top + "/var/lib/dpkg");
    fs::create_directories(top + "/usr/lib/sysimage/rpm");
    const auto root = Root::open(top).value();
    std::ofstream(top + "/usr/lib/sysimage/rpm/rpmdb.sqlite") << "";
    CHECK(package_manager_of(root).value()->name() == "rpm");
    CHECK(package_manager_of(root, PackageSystem::dpkg).error().code() == ErrorCode::not_found);
    std::ofstream(top + "/var/lib/dpkg/status") << "";
    CHECK(package_manager_of(root, PackageSystem::rpm).value()->name() == "rpm");
    CHECK(package_manager_of(root, PackageSystem::dpkg).value()->name() == "dpkg");
    fs::remove_all(top);
}

TEST_SUITE("root") {
    TEST_CASE("an rpm package goes in, is seen, changes its version and goes out, in an image" *
              doctest::skip(!can_run())) {
        const RpmTree tree;
        const auto root = Root::open(tree.root()).value();
        const auto packages = package_manager_of(root, PackageSystem::rpm).value();
        const std::string first = tree.make_package("1.2");
        CHECK(packages->inspect(first)->version == "1.2");
        CHECK(packages->inspect(tree.root() + "/etc/rpm/macros").error().code() == ErrorCode::corrupt);
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
        REQUIRE(packages->install(first).has_value());
        CHECK(packages->state("picket-test")->status == PackageStatus::installed);
        CHECK(packages->state("picket-test")->version == "1.2");
        REQUIRE(packages->install(first).has_value()); // once more is no error
        REQUIRE(packages->install(tree.make_package("1.10")).has_value());
        CHECK(packages->state("picket-test")->version == "1.10");
        REQUIRE(packages->install(first).has_value()); // and back
        CHECK(packages->state("picket-test")->version == "1.2");
        REQUIRE(packages->remove("picket-test", PackageRemoval::purge).has_value());
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
        CHECK_FALSE(root.exists("/usr/share/picket-test"));
        CHECK(packages->remove("picket-test", PackageRemoval::purge).has_value()); // nothing to do is no error
    }

    TEST_CASE("an rpm package's missing dependencies are named, and nothing was installed" *
              doctest::skip(!can_run())) {
        const RpmTree tree;
        const auto root = Root::open(tree.root()).value();
        const auto packages = package_manager_of(root, PackageSystem::rpm).value();
        const auto installed = packages->install(tree.make_package("1", "Requires: nosuch-library >= 3, other"));
        REQUIRE_FALSE(installed.has_value());
        CHECK(installed.error().code() == ErrorCode::not_found);
        CHECK(installed.error().message().find("nosuch-library >= 3, other") != std::string::npos);
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
    }

    TEST_CASE("a lock on rpm's database is unavailable" * doctest::skip(!can_run())) {
        const RpmTree tree;
        const auto root = Root::open(tree.root()).value();
        const auto packages = package_manager_of(root, PackageSystem::rpm).value();
        const std::string file = tree.make_package("1");
        const LockedDatabase lock(tree.root());
        CHECK(packages->install(file).error().code() == ErrorCode::unavailable);
    }

    TEST_CASE("an rpm package that is there twice, or not as packed, is broken and can be mended or removed" *
              doctest::skip(!can_run())) {
        const RpmTree tree;
        const auto root = Root::open(tree.root()).value();
        const auto packages = package_manager_of(root, PackageSystem::rpm).value();
        const std::string first = tree.make_package("1");
        REQUIRE(packages->install(first).has_value());
        std::ofstream(tree.root() + "/usr/share/picket-test/file") << "other\n";
        CHECK(packages->state("picket-test")->detail == "/usr/share/picket-test/file is changed");
        fs::remove(tree.root() + "/usr/share/picket-test/file");
        CHECK(packages->state("picket-test")->status == PackageStatus::broken);
        CHECK(packages->state("picket-test")->detail == "/usr/share/picket-test/file is missing");
        CHECK_FALSE(packages->finish("picket-test").has_value());
        REQUIRE(packages->install(first).has_value());
        CHECK(packages->state("picket-test")->status == PackageStatus::installed);
        CHECK(packages->finish("picket-test").has_value());
        tree.make_package("2");
        tree.rpm("-i --force --justdb /tmp/picket-test-2.rpm"); // as an upgrade that was killed leaves it
        CHECK(packages->state("picket-test")->detail == "installed twice");
        REQUIRE(packages->remove("picket-test", PackageRemoval::keep_configuration).has_value());
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
    }

    TEST_CASE("what a removed rpm package left behind for a purge is run, if it is root's own" *
              doctest::skip(!can_run())) {
        const RpmTree tree;
        const auto root = Root::open(tree.root()).value();
        const auto packages = package_manager_of(root, PackageSystem::rpm).value();
        const std::string purge = tree.root() + "/var/lib/picket-test/purge";
        fs::create_directories(tree.root() + "/var/lib/picket-test");
        std::ofstream(purge) << "rm /tmp/kept /var/lib/picket-test/purge\n";
        std::ofstream(tree.root() + "/tmp/kept") << "x";
        fs::permissions(purge, fs::perms(0722));
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
        fs::permissions(purge, fs::perms(0700));
        CHECK(packages->state("picket-test")->status == PackageStatus::config_files);
        REQUIRE(packages->remove("picket-test", PackageRemoval::keep_configuration).has_value());
        CHECK(root.exists("/tmp/kept"));
        REQUIRE(packages->remove("picket-test", PackageRemoval::purge).has_value());
        CHECK_FALSE(root.exists("/tmp/kept"));
        CHECK(packages->state("picket-test")->status == PackageStatus::absent);
    }
}
