#include <doctest/doctest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <sys/mount.h>
#include <unistd.h>
#include <vector>

#include <picket/scan/tree_walker.h>

using namespace picket;
using namespace picket::scan;
namespace fs = std::filesystem;

namespace {
struct TemporaryTree {
    TemporaryTree() {
        std::string pattern = (fs::temp_directory_path() / "picket-walk-XXXXXX").string();
        path = mkdtemp(pattern.data());
        fs::create_directories(path / "a/b");
        std::ofstream(path / "top") << "1";
        std::ofstream(path / "a/b/deep") << "2";
        fs::create_symlink("/etc/passwd", path / "a/link");
        fs::create_directory_symlink("/etc", path / "a/directory-link");
        mkfifo((path / "a/fifo").c_str(), 0600);
    }
    ~TemporaryTree() { fs::remove_all(path); }
    fs::path path;
};

std::set<std::string> names(const fs::path& start, const WalkOptions& options, WalkStatistics* statistics = nullptr) {
    std::set<std::string> found;
    const UniqueFd fd(open(start.c_str(), O_PATH | O_CLOEXEC));
    const auto walked =
        walk_tree(fd.get(), "/x", options, [&](UniqueFd file, const std::string& path, const struct stat&) {
            CHECK(file);
            found.insert(path);
            return true;
        });
    REQUIRE(walked);
    if (statistics != nullptr)
        *statistics = *walked;
    return found;
}
} // namespace

TEST_CASE("every regular file is visited, no link followed, no fifo opened") {
    const TemporaryTree tree;
    CHECK(names(tree.path, {}) == std::set<std::string>{"/x/top", "/x/a/b/deep"});
    CHECK(names(tree.path / "top", {}) == std::set<std::string>{"/x"});
}

TEST_CASE("what is known already is counted and not opened") {
    const TemporaryTree tree;
    WalkOptions options;
    options.is_known = [](const std::string& path, const struct stat& status) {
        CHECK(S_ISREG(status.st_mode));
        return path == "/x/top";
    };
    WalkStatistics statistics;
    CHECK(names(tree.path, options, &statistics) == std::set<std::string>{"/x/a/b/deep"});
    CHECK(statistics.files == 2);
}

TEST_CASE("exclusions cover what lies below, depth is bounded, and a visitor may stop") {
    const TemporaryTree tree;
    WalkOptions options;
    options.is_excluded = [](const std::string& path) { return path == "/x/a"; };
    CHECK(names(tree.path, options) == std::set<std::string>{"/x/top"});
    WalkStatistics statistics;
    WalkOptions shallow;
    shallow.maximum_depth = 2;
    CHECK(names(tree.path, shallow, &statistics) == std::set<std::string>{"/x/top"});
    CHECK(statistics.failed == 1);
    const UniqueFd fd(open(tree.path.c_str(), O_PATH | O_CLOEXEC));
    const auto stopped =
        walk_tree(fd.get(), "/x", {}, [](UniqueFd, const std::string&, const struct stat&) { return false; });
    CHECK(stopped.error().code() == ErrorCode::cancelled);
}

TEST_CASE("a walk goes on where an earlier one was, whatever was visited before") {
    const TemporaryTree tree;
    for (const char* name : {"a/b/a", "a/b-c", "a/b/z", "a/zz", "b"})
        std::ofstream(tree.path / name) << "3";
    const std::vector<std::string> order = {"/x/a/b/a", "/x/a/b/deep", "/x/a/b/z", "/x/a/b-c",
                                            "/x/a/zz",  "/x/b",        "/x/top"};
    for (const std::size_t maximum : {std::size_t{1'000'000}, std::size_t{0}}) {
        CAPTURE(maximum);
        for (std::size_t from = 0; from <= order.size(); ++from) {
            WalkOptions options;
            options.maximum_names = maximum;
            options.resume_from = from < order.size() ? order[from] : "/x/zzz";
            std::vector<std::string> visited;
            const UniqueFd fd(open(tree.path.c_str(), O_PATH | O_CLOEXEC));
            REQUIRE(walk_tree(fd.get(), "/x", options, [&](UniqueFd, const std::string& path, const struct stat&) {
                visited.push_back(path);
                return true;
            }));
            CHECK(visited == std::vector<std::string>(order.begin() + static_cast<std::ptrdiff_t>(from), order.end()));
        }
    }
}

TEST_CASE("a directory whose names do not fit into memory is visited as a whole") {
    const TemporaryTree tree;
    for (int i = 0; i < 2'500; ++i)
        std::ofstream(tree.path / ("many-" + std::to_string(i))) << "4";
    WalkOptions options;
    options.maximum_names = 1'000;
    options.resume_from = "/x/many-9";
    CHECK(names(tree.path, options).size() == 2'502);
}

TEST_CASE("what is mounted in the tree and may not answer is left to whoever asked for it") {
    if (geteuid() != 0)
        return;
    const TemporaryTree tree;
    const std::string inside = tree.path / "a" / "b";
    if (mount("tmpfs", inside.c_str(), "tmpfs", 0, nullptr) != 0)
        return;
    std::ofstream(tree.path / "a/b/unseen") << "3";
    struct stat status {};
    REQUIRE(stat(inside.c_str(), &status) == 0);
    std::vector<std::string> served;
    WalkOptions options;
    options.cross_devices = true;
    options.is_served = [&](dev_t device) { return device == status.st_dev; };
    options.on_served = [&](int directory, const std::string& name, const std::string& path) {
        struct stat seen {};
        CHECK(fstatat(directory, name.c_str(), &seen, 0) == 0);
        CHECK(seen.st_dev == status.st_dev);
        served.push_back(path);
        return true;
    };
    CHECK(names(tree.path, options) == std::set<std::string>{"/x/top"});
    CHECK(served == std::vector<std::string>{"/x/a/b"});
    REQUIRE(umount2(inside.c_str(), MNT_DETACH) == 0);
}

TEST_CASE("counting opens no file and finds as many as a walk visits") {
    const TemporaryTree tree;
    const UniqueFd fd(open(tree.path.c_str(), O_PATH | O_CLOEXEC));
    CHECK(count_tree(fd.get(), {}, "/x", [] { return true; }).value() == 2);
    CHECK(count_tree(fd.get(), {}, "/x", [] { return false; }).error().code() == ErrorCode::cancelled);
}
