#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <poll.h>

#include <picket/profile/effective.h>
#include <picket/profile/watcher.h>

#include "tree.h"

using namespace picket;
using namespace picket::profile;
namespace fs = std::filesystem;

namespace {
/// True where the watcher tells of a change within the bound.
bool told(Watcher& watcher, Milliseconds bound = Milliseconds(20'000)) {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (std::chrono::steady_clock::now() < end) {
        pollfd item{watcher.fd(), POLLIN, 0};
        const auto left = std::chrono::duration_cast<Milliseconds>(end - std::chrono::steady_clock::now());
        if (poll(&item, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) == 1 && watcher.on_readable())
            return true;
    }
    return false;
}
} // namespace

TEST_CASE("the watcher tells of folders that come later, of changes and of removals") {
    const Tree tree;
    const sys::Root root = tree.root();
    const auto watcher = Watcher::create(root).value();
    CHECK_FALSE(watcher->on_readable());
    tree.managed("a.json", R"({"engine":{"workers":2}})");
    REQUIRE(told(*watcher));
    CHECK(load(root).policy->engine_workers == 2);
    tree.managed("a.json", R"({"engine":{"workers":3}})");
    REQUIRE(told(*watcher));
    CHECK(load(root).policy->engine_workers == 3);
    REQUIRE(root.write_atomically("/etc/picket/managed.d/a.json", R"({"engine":{"workers":4}})", 0644));
    REQUIRE(told(*watcher));
    CHECK(load(root).policy->engine_workers == 4);
    tree.settings(R"({"antivirusEngine":{"scanArchives":false}})");
    REQUIRE(told(*watcher));
    CHECK_FALSE(load(root).policy->scan_archives);
    fs::remove(tree.path / "etc/picket/managed.d/a.json");
    REQUIRE(told(*watcher));
    CHECK(load(root).policy->engine_workers == 0);
    fs::rename(tree.path / "etc/picket", tree.path / "etc/old");
    tree.managed("b.json", R"({"engine":{"workers":5}})");
    REQUIRE(told(*watcher));
    CHECK(load(root).policy->engine_workers == 5);
}

TEST_CASE("many changes in a row are told once") {
    const Tree tree;
    tree.managed("a.json", "{}");
    const sys::Root root = tree.root();
    const auto watcher = Watcher::create(root).value();
    for (int i = 0; i < 50; ++i)
        tree.managed("f" + std::to_string(i) + ".json", "{}");
    REQUIRE(told(*watcher));
    CHECK_FALSE(told(*watcher, Milliseconds(1'500)));
}

TEST_CASE("what is no profile, and our own files beside settings.json, are not told") {
    const Tree tree;
    tree.managed("a.json", "{}");
    tree.settings("{}");
    const sys::Root root = tree.root();
    const auto watcher = Watcher::create(root).value();
    load(root);
    tree.write("/var/lib/picket/state.db-wal", "x");
    tree.write("/etc/picket/managed.d/.a.json.swp", "x");
    CHECK_FALSE(told(*watcher, Milliseconds(1'500)));
}
