#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <picket/sys/package_files.h>

using namespace picket;
using namespace picket::sys;

namespace {

namespace fs = std::filesystem;

const std::string kDigest(32, 'a');
const std::string kOther(32, 'b');

/// dpkg's records of a tree with a merged /usr.
class Records {
  public:
    Records() {
        std::string name = "/tmp/picket-package-files-XXXXXX";
        top_ = mkdtemp(name.data());
        fs::create_directories(top_ + "/var/lib/dpkg/info");
        fs::create_directories(top_ + "/usr/bin");
        fs::create_symlink("usr/bin", top_ + "/bin");
        fs::permissions(top_ + "/var/lib/dpkg/info", fs::perms(0755));
        root_.emplace(Root::open(top_).value());
    }
    ~Records() { fs::remove_all(top_); }
    void write(const std::string& name, const std::string& content) const {
        const std::string path = top_ + "/var/lib/dpkg/" + name;
        std::ofstream(path + ".new", std::ios::trunc) << content; // by rename, as dpkg does
        fs::permissions(path + ".new", fs::perms(0644));
        fs::rename(path + ".new", path);
    }
    void add(const std::string& package, const std::string& digest, const std::string& path) const {
        write("info/" + package + ".md5sums", digest + "  " + path.substr(1) + "\n");
        write("info/" + package + ".list", "/.\n" + path + "\n");
    }
    const Root& root() const { return *root_; }
    const std::string& top() const { return top_; }

  private:
    std::string top_;
    std::optional<Root> root_;
};

} // namespace

TEST_CASE("a tree without a package manager has no package files") {
    const auto root = Root::open("/proc").value();
    CHECK(package_files_of(root) == nullptr);
}

TEST_CASE("records that do not belong to root count for nothing" * doctest::skip(::geteuid() == 0)) {
    const Records records;
    records.add("tool", kDigest, "/usr/bin/tool");
    CHECK_FALSE(package_files_of(records.root())->find("/usr/bin/tool"));
}

TEST_SUITE("root") {
    TEST_CASE("a file of a package is found with its digest, under both names of a merged /usr") {
        const Records records;
        records.add("old", kDigest, "/bin/old");
        records.add("new:amd64", kOther, "/usr/bin/new");
        const auto files = package_files_of(records.root());
        const auto old = files->find("/usr/bin/old");
        REQUIRE(old);
        CHECK(old->package == "old");
        CHECK(old->digest == kDigest);
        CHECK(old->digest_kind == RecordedDigestKind::md5);
        REQUIRE(files->find("/bin/new"));
        CHECK(files->find("/bin/new")->package == "new");
        CHECK_FALSE(files->find("/usr/bin/none"));
        CHECK_FALSE(files->find("/usr/lib/old"));
        CHECK_FALSE(files->find(""));
    }

    TEST_CASE("changed records are noticed") {
        const Records records;
        records.add("tool", kDigest, "/usr/bin/tool");
        const auto files = package_files_of(records.root());
        REQUIRE(files->find("/usr/bin/tool"));
        records.add("tool", kOther, "/usr/bin/tool");
        CHECK(files->find("/usr/bin/tool")->digest == kOther);
        records.add("more", kDigest, "/usr/bin/more");
        CHECK(files->find("/usr/bin/more"));
        fs::remove(records.top() + "/var/lib/dpkg/info/tool.md5sums");
        CHECK_FALSE(files->find("/usr/bin/tool"));
    }

    TEST_CASE("a diverted file is looked for where it lies, and the diverting package's own under the name") {
        const Records records;
        records.add("dash", kDigest, "/bin/sh");
        records.add("bash", kOther, "/usr/bin/sh");
        records.write("diversions", "/bin/sh\n/bin/sh.distrib\nbash\n");
        const auto files = package_files_of(records.root());
        REQUIRE(files->find("/usr/bin/sh.distrib"));
        CHECK(files->find("/usr/bin/sh.distrib")->package == "dash");
        REQUIRE(files->find("/usr/bin/sh"));
        CHECK(files->find("/usr/bin/sh")->package == "bash");
        records.write("diversions", "/bin/sh\n/bin/sh.local\n:\n");
        CHECK(files->find("/bin/sh.local")->package == "dash");
    }

    TEST_CASE("a digest without its line in the list of files is another package's file now") {
        const Records records;
        records.add("replaced", kDigest, "/usr/bin/tool");
        records.write("info/replaced.list", "/.\n");
        CHECK_FALSE(package_files_of(records.root())->find("/usr/bin/tool"));
        records.add("replacing", kOther, "/usr/bin/tool");
        CHECK(package_files_of(records.root())->find("/usr/bin/tool")->package == "replacing");
    }

    TEST_CASE("records that others may write, links, and malformed lines count for nothing") {
        const Records records;
        records.add("open", kDigest, "/usr/bin/open");
        fs::permissions(records.top() + "/var/lib/dpkg/info/open.md5sums", fs::perms(0666));
        records.add("linked", kDigest, "/usr/bin/linked");
        const std::string linked = records.top() + "/var/lib/dpkg/info/linked.md5sums";
        fs::rename(linked, records.top() + "/elsewhere");
        fs::create_symlink(records.top() + "/elsewhere", linked);
        records.add("bad", kDigest, "/usr/bin/bad");
        records.write("info/bad.md5sums", "\n" + kDigest + "\n" + kDigest + "  /usr/bin/bad\nshort  usr/bin/bad\n" +
                                              kDigest + " usr/bin/bad\n\\" + kDigest + "  usr/bin/bad\n");
        const auto files = package_files_of(records.root());
        for (const char* path : {"/usr/bin/open", "/usr/bin/linked", "/usr/bin/bad"})
            CHECK_FALSE(files->find(path));
        fs::permissions(records.top() + "/var/lib/dpkg/info", fs::perms(0777));
        records.add("good", kDigest, "/usr/bin/good");
        CHECK_FALSE(files->find("/usr/bin/good"));
    }

    TEST_CASE("this host's own records are read" * doctest::skip(!fs::exists("/var/lib/dpkg/info/coreutils.md5sums"))) {
        const auto root = Root::open("/").value();
        const auto files = package_files_of(root);
        REQUIRE(files->find("/usr/bin/ls"));
        CHECK(files->find("/usr/bin/ls")->package == "coreutils");
        CHECK(files->find("/bin/ls")->digest == files->find("/usr/bin/ls")->digest);
    }
}
