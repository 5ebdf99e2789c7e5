#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <picket/base/unique_fd.h>
#include <picket/watch/file_facts.h>

using namespace picket;
using namespace picket::watch;
namespace fs = std::filesystem;

namespace {
struct TemporaryFile {
    TemporaryFile() {
        std::string pattern = (fs::temp_directory_path() / "picket-facts-XXXXXX").string();
        UniqueFd made(mkstemp(pattern.data()));
        path = pattern;
        std::ofstream(path) << "content";
    }
    ~TemporaryFile() { fs::remove(path); }
    fs::path path;
};
} // namespace

TEST_CASE("facts agree with stat, and change when the content does") {
    const TemporaryFile file;
    SystemFileInspector inspector;
    const UniqueFd fd(open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    FileFacts before;
    REQUIRE(inspector.facts(fd.get(), before));
    struct stat status {};
    REQUIRE(fstat(fd.get(), &status) == 0);
    CHECK(before.key.device == status.st_dev);
    CHECK(before.key.inode == status.st_ino);
    CHECK(before.key.size == 7);
    CHECK(before.regular);
    CHECK_FALSE(before.deleted);
    CHECK(before.key.mtime_ns == status.st_mtim.tv_sec * 1'000'000'000L + status.st_mtim.tv_nsec);
    std::ofstream(file.path) << "another content";
    FileFacts after;
    REQUIRE(inspector.facts(fd.get(), after));
    CHECK_FALSE(before.key == after.key);
    fs::remove(file.path);
    REQUIRE(inspector.facts(fd.get(), after));
    CHECK(after.deleted);
    CHECK(inspector.path(fd.get()).empty());
}

TEST_CASE("a writer is seen while it is there") {
    const TemporaryFile file;
    SystemFileInspector inspector;
    const UniqueFd reader(open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    CHECK_FALSE(inspector.has_writer(reader.get()));
    {
        const UniqueFd writer(open(file.path.c_str(), O_WRONLY | O_CLOEXEC));
        CHECK(inspector.has_writer(reader.get()));
    }
    CHECK_FALSE(inspector.has_writer(reader.get()));
    std::signal(SIGIO, SIG_IGN); // the kernel tells of whoever has to wait
    REQUIRE(inspector.hold_off_writers(reader.get()));
    CHECK_FALSE(UniqueFd(open(file.path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)));
    CHECK(errno == EWOULDBLOCK); // who does not say O_NONBLOCK waits
    inspector.let_writers_in(reader.get());
    CHECK(UniqueFd(open(file.path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)));
    CHECK(inspector.path(reader.get()) == fs::canonical(file.path));
    CHECK(inspector.mount_id(reader.get()) > 0);
    CHECK_FALSE(inspector.executable(getpid()).empty());
    CHECK(inspector.executable(-1).empty());
}

TEST_CASE("what the kernel cannot vouch for is opaque") {
    CHECK(filesystem_kind(0xEF53) == FilesystemKind::local);
    CHECK(filesystem_kind(0x4d44) == FilesystemKind::coarse);
    CHECK(filesystem_kind(0x794c7630) == FilesystemKind::overlay);
    CHECK(filesystem_kind(0x6969) == FilesystemKind::opaque);     // nfs
    CHECK(filesystem_kind(0x65735546) == FilesystemKind::opaque); // fuse
    CHECK(filesystem_kind(0) == FilesystemKind::opaque);
    CHECK(timestamp_grain(FilesystemKind::coarse) >= std::chrono::seconds(2));
}
