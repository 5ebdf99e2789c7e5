#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>

#include <picket/host/package_manager.h>

#include "host_tree.h"

using namespace picket;
using namespace picket::host;
using picket::host::testing::HostTree;

namespace {

/// Another process that holds a record lock on a file, until it is told to let go.
class Locker {
  public:
    explicit Locker(const std::filesystem::path& path) {
        std::array<int, 2> ready{};
        std::array<int, 2> release{};
        REQUIRE(pipe2(ready.data(), O_CLOEXEC) == 0);
        REQUIRE(pipe2(release.data(), O_CLOEXEC) == 0);
        pid_ = fork();
        if (pid_ == 0) {
            close(release[1]);
            hold(path.c_str(), ready[1], release[0]);
        }
        close(ready[1]);
        close(release[0]);
        release_ = release[1];
        char byte = 0;
        REQUIRE(read(ready[0], &byte, 1) == 1);
        close(ready[0]);
    }
    ~Locker() { let_go(); }
    void let_go() {
        if (pid_ <= 0)
            return;
        close(release_);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    pid_t pid() const { return pid_; }

  private:
    [[noreturn]] static void hold(const char* path, int ready, int release) {
        const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
        struct flock lock {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        if (file < 0 || fcntl(file, F_SETLK, &lock) != 0 || write(ready, "x", 1) != 1)
            _exit(1);
        char byte = 0;
        const ssize_t ended = read(release, &byte, 1);
        _exit(ended == 0 ? 0 : 1);
    }
    pid_t pid_ = 0;
    int release_ = -1;
};

} // namespace

TEST_CASE("whoever holds a package manager's lock is named") {
    const HostTree tree;
    tree.file("/var/lib/dpkg/lock-frontend", "").file("/var/lib/dpkg/lock", "").file("/var/lib/rpm/.rpm.lock", "");
    const sys::Root root = tree.root();
    CHECK_FALSE(find_package_manager_lock(root));
    for (const char* path : {"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/rpm/.rpm.lock"}) {
        const Locker locker(tree.at(path));
        const auto holder = find_package_manager_lock(root);
        REQUIRE(holder);
        CHECK(holder->pid == locker.pid());
        CHECK(holder->path == path);
        CHECK(holder->program.find("test_host") != std::string::npos);
        CHECK(holder->describe().find(path) != std::string::npos);
    }
    CHECK_FALSE(find_package_manager_lock(root));
}

TEST_CASE("waiting for the package manager ends when the lock is free, when time is up, and when it is cancelled") {
    const HostTree tree;
    tree.directory("/var/lib/dpkg");
    const sys::Root root = tree.root();
    Locker locker(tree.at("/var/lib/dpkg/lock"));
    CHECK(wait_for_package_manager(root, Milliseconds(0)));
    CHECK(wait_for_package_manager(root, Milliseconds(1))->pid == locker.pid());
    CHECK(wait_for_package_manager(root, Milliseconds(60'000), [](const LockHolder&) { return false; }));
    int told = 0;
    CHECK_FALSE(wait_for_package_manager(root, Milliseconds(60'000), [&](const LockHolder& holder) {
        CHECK(holder.path == "/var/lib/dpkg/lock");
        locker.let_go();
        return ++told < 100;
    }));
    CHECK(told == 1);
    CHECK_FALSE(wait_for_package_manager(root, Milliseconds(0)));
}

TEST_CASE("pid files of an image say nothing about this host") {
    const HostTree tree;
    tree.file("/run/zypp.pid", "1\n").file("/run/yum.pid", std::to_string(getppid()));
    CHECK_FALSE(find_package_manager_lock(tree.root()));
}

TEST_CASE("half-configured packages are found in dpkg's status") {
    const auto entry = [](std::string_view name, std::string_view status) {
        return "Package: " + std::string(name) + "\nStatus: " + std::string(status) +
               "\nPriority: optional\nDescription: x\n y\n\n";
    };
    const DpkgReport good =
        parse_dpkg_status(entry("a", "install ok installed") + entry("b", "deinstall ok config-files") +
                          entry("c", "install ok triggers-pending") + entry("d", "install ok triggers-awaited") +
                          entry("e", "hold ok installed") + entry("f", "purge ok not-installed"));
    CHECK(good.broken.empty());
    CHECK(good.broken_count == 0);
    CHECK(good.picket == PackageState::absent);
    const DpkgReport bad =
        parse_dpkg_status(entry("z", "install ok half-configured") + entry("a", "install ok unpacked") +
                          entry("m", "install reinstreq half-installed") + entry("r", "install reinstreq installed"));
    CHECK(bad.broken ==
          std::vector<std::string>{"a (unpacked)", "m (half-installed)", "r (reinst-required)", "z (half-configured)"});
    CHECK(parse_dpkg_status(entry("picket", "install ok installed")).picket == PackageState::installed);
    CHECK(parse_dpkg_status(entry("picket", "deinstall ok config-files")).picket == PackageState::absent);
    const DpkgReport ours = parse_dpkg_status(entry("picket", "install ok half-configured"));
    CHECK(ours.picket == PackageState::broken);
    CHECK(ours.broken_count == 0); // ours to finish, not the admin's
    std::string many;
    for (int i = 0; i < 500; ++i)
        many += entry("p" + std::to_string(i), "install ok unpacked");
    CHECK(parse_dpkg_status(many).broken.size() == 20);
    CHECK(parse_dpkg_status(many).broken_count == 500);
    CHECK(parse_dpkg_status(std::string("Package: \x1b[2Jx\nStatus: odd\n")).broken.front().find('\x1b') ==
          std::string::npos);
    CHECK(parse_dpkg_status("Status: install ok unpacked\n\n\n").broken_count == 0);
    CHECK(parse_dpkg_status(std::string(1000, '\0')).broken_count == 0);
}

TEST_CASE("dpkg's journal shows that it was interrupted") {
    const HostTree tree;
    tree.file("/var/lib/dpkg/status", "Package: a\nStatus: install ok installed\n\n")
        .file("/var/lib/dpkg/updates/tmp.i", "");
    CHECK_FALSE(read_dpkg_state(tree.root())->interrupted);
    tree.file("/var/lib/dpkg/updates/0003", "Package: a\n");
    CHECK(read_dpkg_state(tree.root())->interrupted);
    const HostTree empty;
    CHECK(read_dpkg_state(empty.root()).error().code() == ErrorCode::not_found);
}
