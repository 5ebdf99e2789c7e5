#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <picket/sys/file.h>
#include <picket/sys/mounts.h>
#include <picket/sys/process.h>

using namespace picket;
using namespace picket::sys;
namespace fs = std::filesystem;

namespace {
struct TemporaryTree {
    TemporaryTree() {
        std::string pattern = (fs::temp_directory_path() / "picket-sys-XXXXXX").string();
        path = mkdtemp(pattern.data());
    }
    ~TemporaryTree() { fs::remove_all(path); }
    fs::path path;
};
} // namespace

TEST_CASE("Root writes atomically, reads within its limit and removes") {
    const TemporaryTree tree;
    const Root root = Root::open(tree.path).value();
    REQUIRE(root.make_directories("/etc/picket/managed.d", 0700));
    REQUIRE(root.write_atomically("/etc/picket/x.json", "one", 0600));
    REQUIRE(root.write_atomically("/etc/picket/x.json", "two", 0640));
    CHECK(root.read("/etc/picket/x.json", kibibytes(1)).value() == "two");
    CHECK((root.status("/etc/picket/x.json")->st_mode & 07777) == 0640);
    CHECK((root.status("/etc/picket/managed.d")->st_mode & 07777) == 0700);
    CHECK(root.read("/etc/picket/x.json", Bytes{2}).error().code() == ErrorCode::exhausted);
    CHECK(root.list("/etc/picket").value() == std::vector<std::string>{"managed.d", "x.json"});
    CHECK(root.remove("/etc/picket/x.json").value());
    CHECK_FALSE(root.remove("/etc/picket/x.json").value());
    CHECK(root.read("/etc/picket/x.json", kibibytes(1)).error().code() == ErrorCode::not_found);
}

TEST_CASE("Root follows no link and leaves its tree by no name") {
    const TemporaryTree tree;
    const TemporaryTree outside;
    std::ofstream(outside.path / "secret") << "secret";
    fs::create_directories(tree.path / "etc");
    fs::create_directories(tree.path / "usr/lib");
    fs::create_symlink(outside.path / "secret", tree.path / "etc/link");
    fs::create_directory_symlink(outside.path, tree.path / "etc/dir");
    fs::create_directory_symlink("usr/lib", tree.path / "lib");
    std::ofstream(tree.path / "usr/lib/os-release") << "ID=x";
    const Root root = Root::open(tree.path).value();
    CHECK_FALSE(root.read("/etc/link", kibibytes(1)));
    CHECK_FALSE(root.read("/etc/dir/secret", kibibytes(1)));
    CHECK_FALSE(root.read("/etc/../../etc/passwd", kibibytes(1)));
    CHECK_FALSE(root.write_atomically("/etc/dir/planted", "x", 0600));
    CHECK_FALSE(root.read("etc/passwd", kibibytes(1)));
    if (geteuid() == 0)
        CHECK(root.read("/lib/os-release", kibibytes(1)).value() == "ID=x");
    REQUIRE(mkfifo((tree.path / "etc/fifo").c_str(), 0600) == 0);
    CHECK(root.read("/etc/fifo", kibibytes(1)).error().code() == ErrorCode::invalid_input);
}

TEST_CASE("run gives output, status, timeout, and passes no environment on") {
    setenv("PICKET_TEST_SECRET", "leak", 1);
    const auto outcome =
        run({"/bin/sh", "-c", "cat; echo err >&2; echo ${PICKET_TEST_SECRET:-none}; exit 3"}, {.input = "in "});
    REQUIRE(outcome);
    CHECK(outcome->output == "in none\n");
    CHECK(outcome->error_output == "err\n");
    CHECK(outcome->exit_status == 3);
    const auto slow = run({"sleep", "30"}, {.timeout = Milliseconds(100)});
    REQUIRE(slow);
    CHECK(slow->timed_out);
    const std::atomic<bool> stop{true};
    const auto stopped = run({"sleep", "30"}, {.stop = &stop});
    REQUIRE(stopped);
    CHECK(stopped->stopped);
    CHECK_FALSE(stopped->timed_out);
    CHECK_FALSE(stopped->ok());
    CHECK_FALSE(slow->ok());
    CHECK(run({"/nonexistent/program"}).error().code() == ErrorCode::not_found);
    const auto big = run({"/bin/sh", "-c", "head -c 3000000 /dev/zero"}, {.output_limit = kibibytes(64)});
    REQUIRE(big);
    CHECK(big->output.size() < 100'000);
}

TEST_CASE("a process is known by pid and start time") {
    const auto self = process_identity(getpid());
    REQUIRE(self);
    CHECK(self->start_ticks > 0);
    CHECK(*self == process_identity(getpid()).value());
    CHECK_FALSE(process_identity(0x3fffffff));
    CHECK(process_name(getpid()) != "?");
}

TEST_CASE("a mount that something is mounted over is not reachable, and what is below it neither") {
    const auto ids = [](std::string_view text) {
        std::vector<int> found;
        for (const Mount& mount : reachable(parse_mountinfo(text)))
            found.push_back(mount.id);
        return found;
    };
    CHECK(ids("1 0 8:1 / / rw - ext4 /dev/a rw\n"
              "2 1 0:20 / /run rw - tmpfs tmpfs rw\n"
              "3 2 0:21 / /run/lock rw - tmpfs tmpfs rw\n"
              "4 1 0:22 / /runner rw - tmpfs tmpfs rw\n") == std::vector<int>{1, 2, 3, 4});
    CHECK(ids("1 0 8:1 / / rw - ext4 /dev/a rw\n"
              "2 1 0:20 / /run rw - tmpfs tmpfs rw\n"
              "3 2 0:21 / /run/lock rw - tmpfs tmpfs rw\n"
              "5 2 0:23 / /run rw - tmpfs tmpfs rw\n"
              "6 5 0:24 / /run/lock rw - tmpfs tmpfs rw\n") == std::vector<int>{1, 5, 6});
    CHECK(ids("1 1 8:1 / / rw - ext4 /dev/a rw\n2 3 0:20 / /a rw - tmpfs a rw\n3 2 0:21 / /b rw - tmpfs b rw\n") ==
          std::vector<int>{1});
}

TEST_CASE("mountinfo is parsed with escapes and optional fields") {
    const auto mounts =
        parse_mountinfo("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
                        "garbage\n"
                        "22 28 0:21 / /sys rw,nosuid,nodev,noexec - sysfs sysfs rw\n");
    REQUIRE(mounts.size() == 2);
    CHECK(mounts[0].mount_point == "/mnt 2");
    CHECK(mounts[0].type == "ext3");
    CHECK(mounts[0].major == 98);
    CHECK(mounts[1].has_option("noexec"));
    CHECK_FALSE(mounts[0].has_option("noexec"));
    CHECK(is_pseudo_filesystem("sysfs"));
    CHECK_FALSE(is_pseudo_filesystem("tmpfs"));
    CHECK(is_remote_filesystem("fuse.sshfs"));
}

TEST_CASE("a memory file reads back") {
    const auto fd = memory_file("hello");
    REQUIRE(fd);
    CHECK(read_all(fd->get(), kibibytes(1)).value() == "hello");
}
