#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

#include <picket/profile/authored.h>
#include <picket/project/files.h>
#include <picket/project/project.h>

#include "templates.h"

using namespace picket;
using namespace picket::project;

namespace {

class Folder {
  public:
    Folder() : root(make()) {}
    ~Folder() {
        const int removed = std::system(("rm -rf '" + root.label() + "'").c_str());
        (void)removed;
    }
    std::string read(const std::string& path) const { return root.read("/" + path, mebibytes(1)).value_or("none"); }
    void write(const std::string& path, const std::string& text) const {
        REQUIRE(root.write_atomically("/" + path, text, 0644));
    }
    sys::Root root;

  private:
    static sys::Root make() {
        std::string name = "/tmp/picket-project-test-XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        return sys::Root::open(name).value();
    }
};

std::vector<ProjectFile> first() {
    return {{"a.txt", "a"}, {"deep/er/b.txt", "b"}, {"secret", "s", 0600}};
}

} // namespace

TEST_CASE("files are written with their modes, and once only") {
    const Folder folder;
    const auto written = write_files(folder.root, "ansible", first());
    REQUIRE(written);
    CHECK(written->written.size() == 3);
    CHECK(folder.read("deep/er/b.txt") == "b");
    CHECK((folder.root.status("/secret")->st_mode & 07777) == 0600);
    const auto again = write_files(folder.root, "ansible", first());
    CHECK(again->written.empty());
    CHECK(again->unchanged == 3);
}

TEST_CASE("what an export did not write stays, is named, and nothing else is written") {
    const Folder folder;
    folder.write("a.txt", "mine");
    REQUIRE(symlink("/etc/passwd", (folder.root.label() + "/secret").c_str()) == 0);
    const auto refused = write_files(folder.root, "ansible", first());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == ErrorCode::conflict);
    CHECK(refused.error().message().find("a.txt, secret") != std::string::npos);
    CHECK(folder.read("a.txt") == "mine");
    CHECK_FALSE(folder.root.exists("/deep"));
}

TEST_CASE("a later export takes its own files along, and leaves what was changed by hand") {
    const Folder folder;
    REQUIRE(write_files(folder.root, "ansible", first()));
    folder.write("a.txt", "with the names of my hosts");
    const std::vector<ProjectFile> second{{"a.txt", "a"}, {"secret", "S", 0600}, {"new", "n"}};
    for (int round = 0; round < 2; ++round) {
        const auto written = write_files(folder.root, "ansible", second);
        REQUIRE(written);
        CHECK(written->kept == std::vector<std::string>{"a.txt"});
        CHECK(written->outdated.empty());
        CHECK(written->removed.size() == (round == 0 ? 1 : 0));
        CHECK(folder.read("a.txt") == "with the names of my hosts");
        CHECK(folder.read("secret") == "S");
        CHECK_FALSE(folder.root.exists("/deep"));
    }
    CHECK(write_files(folder.root, "puppet", second).error().code() == ErrorCode::conflict);
}

TEST_CASE("what is left alone though an export has something else for it, or no use, is told once") {
    const Folder folder;
    REQUIRE(write_files(folder.root, "ansible", first()));
    folder.write("a.txt", "mine");
    folder.write("deep/er/b.txt", "mine, too");
    const std::vector<ProjectFile> second{{"a.txt", "A"}, {"secret", "s", 0600}};
    const auto written = write_files(folder.root, "ansible", second);
    REQUIRE(written);
    CHECK(written->kept.empty());
    CHECK(written->outdated == std::vector<std::string>{"a.txt"});
    CHECK(written->unused == std::vector<std::string>{"deep/er/b.txt"});
    const auto again = write_files(folder.root, "ansible", second);
    REQUIRE(again);
    CHECK(again->kept == std::vector<std::string>{"a.txt"});
    CHECK(again->outdated.empty());
    CHECK(again->unused.empty());
    CHECK(folder.read("a.txt") == "mine");
    CHECK(folder.read("deep/er/b.txt") == "mine, too");
}

TEST_CASE("a file that is to stay as it is stays the export's") {
    const Folder folder;
    REQUIRE(write_files(folder.root, "ansible", first()));
    folder.write("secret", "encrypted");
    std::vector<ProjectFile> second = first();
    second.back() = {.path = "secret", .content = "", .as_it_is = true};
    const auto written = write_files(folder.root, "ansible", second);
    REQUIRE(written);
    CHECK(written->kept == std::vector<std::string>{"secret"});
    const std::vector<ProjectFile> third{{"secret", "another", 0600}};
    CHECK(write_files(folder.root, "ansible", third)->outdated == std::vector<std::string>{"secret"});
    CHECK(folder.read("secret") == "encrypted");
}

TEST_CASE("every shipped profile has a group, and is whole where it is exported") {
    for (const profile::ShippedProfile& shipped : profile::shipped_profiles()) {
        CAPTURE(shipped.name);
        CHECK(std::count_if(groups().begin(), groups().end(),
                            [&](const Group& group) { return group.profile == shipped.name; }) == 1);
        const std::string whole = whole_profile(shipped.name, shipped.text);
        CHECK(whole.find("extends:") == std::string::npos);
        const auto before = profile::render(shipped.text, "before.yaml");
        const auto after = profile::render(whole, "after.yaml");
        REQUIRE(after.ok());
        CHECK(after.document == before.document);
        CHECK_FALSE(purpose_of(shipped.text).empty());
    }
}

TEST_CASE("without a bundle there is no project, and it is said how to name one") {
    const Folder folder;
    Request request;
    request.folder = folder.root.label() + "/fleet";
    for (const auto write : {export_ansible, export_puppet}) {
        const Outcome outcome = write(request);
        REQUIRE(outcome.failure);
        CHECK(outcome.failure->exit == InstallerExit::bundle_refused);
        CHECK(outcome.failure->fix.find("--bundle") != std::string::npos);
    }
    CHECK_FALSE(export_profiles(request).failure);
    CHECK(folder.read("fleet/database-host.yaml").find("extends: baseline-server") != std::string::npos);
}
