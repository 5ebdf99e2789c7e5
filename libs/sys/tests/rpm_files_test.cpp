#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include <picket/sys/package_files.h>

using namespace picket;
using namespace picket::sys;

namespace {

namespace fs = std::filesystem;

bool can_chroot() {
    return geteuid() == 0 && fs::exists("/usr/bin/dash");
}

const std::string kSha(64, 'a');
const std::string kOther(64, 'b');
const std::string kMd5(32, 'c');

/// A tree whose rpm prints what a test wants: what is tried is what is made of the answer. tests/packages/rpm_test.sh
/// asks a real one.
class Tree {
  public:
    Tree() {
        std::string name = "/tmp/picket-rpm-files-XXXXXX";
        top_ = mkdtemp(name.data());
        fs::create_directories(top_ + "/var/lib/rpm");
        fs::create_directories(top_ + "/usr/bin");
        fs::create_symlink("usr/bin", top_ + "/bin");
        const std::string copy = "for p in /bin/sh /bin/cat; do echo $p; ldd $p | grep -o '/[^ ]*'; done | sort -u | "
                                 "xargs cp -L --parents -t " +
                                 top_;
        REQUIRE(std::system(copy.c_str()) == 0);
        std::ofstream(top_ + "/usr/bin/rpm") << "#!/bin/sh\necho asked >>/asked\ncat /answer && [ ! -e /fails ]\n";
        fs::permissions(top_ + "/usr/bin/rpm", fs::perms(0755));
        answer("");
        root_.emplace(Root::open(top_).value());
    }
    ~Tree() { fs::remove_all(top_); }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    void answer(const std::string& lines) {
        std::ofstream(top_ + "/answer", std::ios::trunc) << lines;
        std::ofstream(top_ + "/var/lib/rpm/rpmdb.sqlite", std::ios::trunc) << std::string(++changes_, 'x');
        fs::permissions(top_ + "/var/lib/rpm/rpmdb.sqlite", fs::perms(0644));
    }
    std::string path(const std::string& name) const { return top_ + name; }
    std::size_t asked() const { return fs::exists(path("/asked")) ? fs::file_size(path("/asked")) / 6 : 0; }
    std::unique_ptr<PackageFiles> files() const { return rpm_files_of(*root_); }

  private:
    std::string top_;
    std::size_t changes_ = 0;
    std::optional<Root> root_;
};

std::string row(const std::string& package, const std::string& algorithm, const std::string& digest,
                const std::string& flags, const std::string& path) {
    return package + "\t" + algorithm + "\t" + digest + "\t" + flags + "\t" + path + "\n";
}

} // namespace

TEST_CASE("a tree without an rpm database has no rpm files") {
    const auto root = Root::open("/proc").value();
    CHECK(rpm_files_of(root) == nullptr);
}

TEST_SUITE("root") {
    TEST_CASE("rpm's records: path, package and digest, by both names of a merged /usr" *
              doctest::skip(!can_chroot())) {
        Tree tree;
        tree.answer(row("tool", "8", kSha, "0", "/usr/bin/tool") + row("old", "(none)", kMd5, "0", "/bin/old") +
                    row("tool", "8", kOther, "0", "/usr/share/a name\twith a tab"));
        const auto files = tree.files();
        const auto tool = files->find("/usr/bin/tool");
        REQUIRE(tool);
        CHECK(tool->package == "tool");
        CHECK(tool->digest == kSha);
        CHECK(tool->digest_kind == RecordedDigestKind::sha256);
        CHECK(files->find("/bin/tool")->digest == kSha);
        CHECK(files->find("/usr/bin/old")->digest == kMd5);
        CHECK(files->find("/usr/bin/old")->digest_kind == RecordedDigestKind::md5);
        CHECK(files->find("/usr/share/a name\twith a tab")->digest == kOther);
        CHECK_FALSE(files->find("/usr/bin/none"));
        CHECK(files->are_readable());
        CHECK(tree.asked() == 1);
    }

    TEST_CASE("what is no record of a file's content counts as not recorded" * doctest::skip(!can_chroot())) {
        Tree tree;
        tree.answer(row("a", "8", "", "0", "/usr/share/folder") + row("a", "8", kSha, "17", "/usr/share/config") +
                    row("a", "8", kMd5, "0", "/usr/share/short") +
                    row("a", "2", std::string(40, 'a'), "0", "/usr/share/sha1") +
                    row("a", "8", std::string(64, 'z'), "0", "/usr/share/no-hex") + "rubbish\n\t\t\t\t\n" +
                    row("a", "8", kSha, "0", "relative") + row("a", "8", kSha, "0", "/usr/share/good"));
        const auto files = tree.files();
        for (const char* path : {"/usr/share/folder", "/usr/share/config", "/usr/share/short", "/usr/share/sha1",
                                 "/usr/share/no-hex", "relative", ""})
            CHECK_FALSE(files->find(path));
        CHECK(files->find("/usr/share/good"));
    }

    TEST_CASE("rpm is asked again when its database has changed, and only then" * doctest::skip(!can_chroot())) {
        Tree tree;
        tree.answer(row("tool", "8", kSha, "0", "/usr/bin/tool"));
        const auto files = tree.files();
        CHECK(files->find("/usr/bin/tool")->digest == kSha);
        CHECK(files->find("/usr/bin/tool")->digest == kSha);
        CHECK(tree.asked() == 1);
        tree.answer(row("tool", "8", kOther, "0", "/usr/bin/tool"));
        CHECK(files->find("/usr/bin/tool")->digest == kOther);
        CHECK(tree.asked() == 2);
    }

    TEST_CASE("records that cannot be read, or that others may write, are said to be so" *
              doctest::skip(!can_chroot())) {
        Tree tree;
        tree.answer(row("tool", "8", kSha, "0", "/usr/bin/tool"));
        std::ofstream(tree.path("/fails")) << "";
        const auto files = tree.files();
        CHECK_FALSE(files->find("/usr/bin/tool"));
        CHECK_FALSE(files->are_readable());
        CHECK_FALSE(files->find("/usr/bin/tool"));
        CHECK(tree.asked() == 1); // not with every question
        fs::remove(tree.path("/fails"));
        tree.answer(row("tool", "8", kSha, "0", "/usr/bin/tool"));
        CHECK(files->find("/usr/bin/tool"));
        CHECK(files->are_readable());
        tree.answer(row("tool", "8", kSha, "0", "/usr/bin/tool"));
        REQUIRE(chmod(tree.path("/var/lib/rpm/rpmdb.sqlite").c_str(), 0666) == 0);
        CHECK_FALSE(files->find("/usr/bin/tool"));
        CHECK_FALSE(files->are_readable());
    }
}
