#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "fanotify_probe.h"
#include "host_tree.h"
#include <picket/host/fanotify_users.h>

using namespace picket;
using namespace picket::host;
using picket::host::testing::HostTree;

namespace {

constexpr const char* kMountinfo = "28 1 253:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
                                   "284 28 0:61 / /srv rw,relatime - tmpfs tmpfs rw\n";

/// One process of a made-up /proc that has one fanotify group among ordinary descriptors.
void add_process(const HostTree& tree, int pid, const std::string& exe, const std::string& fdinfo) {
    const std::string base = "/proc/" + std::to_string(pid);
    tree.link(base + "/fd/0", "/dev/null").link(base + "/fd/4", "anon_inode:[fanotify]").link(base + "/exe", exe);
    tree.file(base + "/fdinfo/0", "pos:\t0\n").file(base + "/fdinfo/4", fdinfo);
    tree.file(base + "/comm", "short\n").file(base + "/mountinfo", kMountinfo);
}

std::vector<FanotifyUser> users_of(const HostTree& tree) {
    return find_fanotify_users(tree.root(), sys::parse_mountinfo(kMountinfo)).value().users;
}

} // namespace

TEST_CASE("mark lines of fdinfo as kernels print them") {
    const auto marks = parse_fanotify_fdinfo(
        "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t1038\nfanotify flags:5 event-flags:8000\n"
        "fanotify ino:2 sdev:3d mflags:0 mask:10000 ignored_mask:0 fhandle-bytes:c fhandle-type:1 f_handle:60faa16e02\n"
        "fanotify sdev:800001 mflags:0 mask:70000 ignored_mask:0\n"
        "fanotify mnt_id:11c mflags:0 mask:10008 ignored_mask:0\n"
        "fanotify mnt_id:1c mflags:0 mask:8 ignored_mask:10000\n"
        "fanotify mnt_ns:4026531841 mflags:0 mask:1000000 ignored_mask:0\n");
    REQUIRE(marks.size() == 4);
    CHECK(marks[0].inode == 2U);
    CHECK(marks[0].device == makedev(0, 0x3d));
    CHECK(marks[0].asks_permission());
    CHECK(marks[1].device == makedev(8, 1));
    CHECK_FALSE(marks[1].inode);
    CHECK(marks[2].mount_id == 0x11c);
    CHECK(marks[2].asks_permission());
    CHECK_FALSE(marks[3].asks_permission()); // only its ignore mask names a permission
    CHECK(parse_fanotify_fdinfo("").empty());
    CHECK(parse_fanotify_fdinfo("fanotify mnt_id:zz mask:10000\nfanotify\nfanotify mask:10000\n").empty());
}

TEST_CASE("whoever holds permission marks is named by pid, program and what it marks") {
    const HostTree tree;
    add_process(tree, 612, "/opt/av/scand",
                "fanotify flags:5 event-flags:8000\nfanotify mnt_id:11c mflags:0 mask:10000 ignored_mask:0\n"
                "fanotify sdev:fd00001 mflags:0 mask:40000 ignored_mask:0\n"
                "fanotify ino:ff sdev:3d mflags:0 mask:20000 ignored_mask:0\n"
                "fanotify mnt_id:999 mflags:0 mask:20000 ignored_mask:0\n");
    const auto users = users_of(tree);
    REQUIRE(users.size() == 1);
    CHECK(users[0].pid == 612);
    CHECK(users[0].program == "/opt/av/scand");
    CHECK(users[0].targets == std::vector<std::string>{"mount /srv", "file system of /", "inode 255 on /srv"});
    CHECK(users[0].describe() == "/opt/av/scand (pid 612): mount /srv, file system of /, inode 255 on /srv and 1 more");
}

TEST_CASE("users of notifications, Picket itself and processes without a group are no conflict") {
    const HostTree tree;
    const std::string permission = "fanotify mnt_id:11c mflags:0 mask:10000 ignored_mask:0\n";
    add_process(tree, 10, "/usr/libexec/tracker-miner", "fanotify mnt_id:11c mflags:0 mask:8000018 ignored_mask:0\n");
    add_process(tree, 11, "/usr/sbin/picketd", permission);
    add_process(tree, 12, "/usr/sbin/picketd (deleted)", permission);
    add_process(tree, 13, "/usr/bin/idle", "fanotify flags:5 event-flags:8000\n");
    tree.link("/proc/14/fd/0", "socket:[1]")
        .file("/proc/14/fdinfo/0", permission)
        .file("/proc/self", "")
        .file("/proc/15", "no directory");
    CHECK(users_of(tree).empty());
    add_process(tree, 16, "/tmp/picketd", permission);
    CHECK(users_of(tree).size() == 1);
}

TEST_CASE("a hostile name is escaped, a huge list of marks is bounded") {
    const HostTree tree;
    std::string many;
    for (int i = 0; i < 100'000; ++i)
        many += "fanotify ino:" + std::to_string(i + 10) +
                " sdev:3d mflags:0 mask:10000 ignored_mask:0 fhandle-bytes:c fhandle-type:1 f_handle:60\n";
    add_process(tree, 20, "/tmp/\x1b[2Jevil\n", many);
    const auto users = users_of(tree);
    REQUIRE(users.size() == 1);
    CHECK(users[0].program.find('\x1b') == std::string::npos);
    CHECK(users[0].targets.size() == 3);
    CHECK(users[0].target_count > 10'000);
    CHECK(users[0].describe().size() < 300);
}

TEST_CASE("the probe gives an answer to an ordinary user as well") {
    FanotifyProbe probe;
    const ProbeReport report = probe.report();
    CHECK(report.reached != ProbeStage::start);
    CHECK(probe.report().reached == report.reached);
    if (geteuid() != 0)
        CHECK(report.reached == ProbeStage::init);
}

TEST_SUITE("root") {

    namespace {

    enum class Listens { permission, notification };

    /// A second fanotify user, real, on a tmpfs that only it can see. Ends when this object goes.
    class OtherProduct {
      public:
        OtherProduct(Listens what, const std::string& directory) {
            std::array<int, 2> ready{};
            std::array<int, 2> stop{};
            REQUIRE(pipe2(ready.data(), O_CLOEXEC) == 0);
            REQUIRE(pipe2(stop.data(), O_CLOEXEC) == 0);
            pid_ = fork();
            if (pid_ == 0) {
                close(stop[1]);
                listen(what, directory.c_str(), ready[1], stop[0]);
            }
            close(ready[1]);
            close(stop[0]);
            stop_ = stop[1];
            char byte = 0;
            started_ = read(ready[0], &byte, 1) == 1;
            close(ready[0]);
        }
        ~OtherProduct() {
            close(stop_);
            waitpid(pid_, nullptr, 0);
        }
        pid_t pid() const { return pid_; }
        bool started() const { return started_; }

      private:
        [[noreturn]] static void listen(Listens what, const char* directory, int ready, int stop) {
            if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                mount("picket-test", directory, "tmpfs", 0, "size=64k") != 0)
                _exit(1);
            const bool asks = what == Listens::permission;
            const int group = fanotify_init((asks ? FAN_CLASS_CONTENT : FAN_CLASS_NOTIF) | FAN_CLOEXEC, O_RDONLY);
            const std::uint64_t mask = asks ? FAN_OPEN_PERM : FAN_CLOSE_WRITE;
            if (group < 0 || fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, mask, AT_FDCWD, directory) != 0 ||
                write(ready, "x", 1) != 1)
                _exit(1);
            char byte = 0;
            const ssize_t ended = read(stop, &byte, 1);
            _exit(ended == 0 ? 0 : 1);
        }
        pid_t pid_ = 0;
        int stop_ = -1;
        bool started_ = false;
    };

    bool names(const std::vector<FanotifyUser>& users, pid_t pid) {
        for (const FanotifyUser& user : users)
            if (user.pid == pid)
                return true;
        return false;
    }

    std::vector<FanotifyUser> users_on_this_host() {
        const auto users = find_fanotify_users(sys::Root::open().value(), {});
        REQUIRE(users);
        return users->users;
    }

    } // namespace

    TEST_CASE("the probe denies one open and allows one, and leaves no mount behind") {
        const auto mounts = [] { return sys::read_kernel_file("/proc/self/mountinfo").value(); };
        const std::string before = mounts();
        ProbeReport report;
        {
            FanotifyProbe probe;
            report = probe.report();
        }
        CHECK(static_cast<int>(report.reached) == static_cast<int>(ProbeStage::works));
        CHECK(report.error == 0);
        CHECK(mounts() == before);
        CHECK_FALSE(names(users_on_this_host(), getpid()));
    }

    TEST_CASE("a probe that nobody waits for ends with its object") {
        { const FanotifyProbe probe; }
        CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
        CHECK(errno == ECHILD);
    }

    TEST_CASE("a probe whose time is up says so") {
        FanotifyProbe probe(Milliseconds(0));
        CHECK(probe.report().error == ETIMEDOUT);
    }

    TEST_CASE("a real second user of permission events is found and named") {
        const HostTree tree;
        const std::string directory = tree.at("/").string();
        {
            const OtherProduct other(Listens::permission, directory);
            REQUIRE(other.started());
            const auto users = users_on_this_host();
            REQUIRE(names(users, other.pid()));
            for (const FanotifyUser& user : users) {
                if (user.pid != other.pid())
                    continue;
                CHECK(user.program.find("test_host") != std::string::npos);
                CHECK(user.targets == std::vector<std::string>{"mount " + directory.substr(0, directory.size() - 1)});
            }
        }
        const OtherProduct notified(Listens::notification, directory);
        REQUIRE(notified.started());
        CHECK_FALSE(names(users_on_this_host(), notified.pid()));
    }

} // TEST_SUITE
