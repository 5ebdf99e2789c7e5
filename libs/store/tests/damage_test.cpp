#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/store/store.h>

#include "migrations.h"
#include "place.h"

using namespace picket;
using namespace picket::store;
namespace fs = std::filesystem;

namespace {

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void overwrite(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

Event large_event() {
    Event event;
    event.message = std::string(4'000, 'm');
    return event;
}

/// Runs in a child, so that neither a crash nor a limit reaches the test; gives its exit status, -1 where a signal
/// ended it.
int in_child(const std::function<int()>& work) {
    const pid_t child = fork();
    if (child == 0)
        _exit(work());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Appends until it fails; 0 where that is an answer, nothing acknowledged is lost, and the store is still usable.
int fill(const std::string& file) {
    const auto store = Store::open(file);
    if (!store)
        return 2;
    std::size_t acknowledged = 0;
    for (int i = 0; i < 2'000; ++i) {
        if (!(*store)->append_event(large_event()))
            break;
        ++acknowledged;
    }
    const auto events = (*store)->events({0, {}, 10'000});
    return acknowledged > 0 && acknowledged < 2'000 && events && events->size() == acknowledged ? 0 : 3;
}

} // namespace

TEST_CASE("everything acknowledged is there after kill -9") {
    const Place place;
    std::array<int, 2> pipe_ends{};
    REQUIRE(pipe(pipe_ends.data()) == 0);
    const pid_t child = fork();
    if (child == 0) {
        const auto store = Store::open(place.file());
        for (;;) {
            const auto appended = (*store)->append_event(large_event());
            if (!appended || write(pipe_ends[1], &appended->sequence, sizeof appended->sequence) < 0)
                _exit(1);
        }
    }
    close(pipe_ends[1]);
    std::uint64_t acknowledged = 0;
    while (acknowledged < 40)
        REQUIRE(::read(pipe_ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged);
    kill(child, SIGKILL);
    std::uint64_t more = 0;
    while (::read(pipe_ends[0], &more, sizeof more) == sizeof more)
        acknowledged = more;
    close(pipe_ends[0]);
    waitpid(child, nullptr, 0);
    const auto store = Store::open(place.file()).value();
    CHECK_FALSE(store->recovered_from_corruption());
    CHECK(store->last_sequence() >= acknowledged);
    const auto events = store->events({0, {}, 1'000'000}).value();
    REQUIRE(events.size() >= acknowledged);
    for (std::size_t i = 0; i < events.size(); ++i)
        CHECK(events[i].sequence == i + 1);
    CHECK(events.back().message == large_event().message);
}

TEST_CASE("a damaged file is moved aside, and the numbers still rise") {
    const Place place;
    for (const bool garbage : {true, false}) {
        {
            const auto store = Store::open(place.file()).value();
            for (int i = 0; i < 20; ++i)
                REQUIRE(store->append_event(large_event()));
        }
        std::string content = read(place.file());
        if (garbage)
            content = std::string(5'000, 'x');
        else
            std::fill(content.begin() + 4'096, content.begin() + 40'000, '\x5a');
        const std::uint64_t last = Store::open(place.file()).value()->last_sequence();
        overwrite(place.file(), content);
        const auto store = Store::open(place.file()).value();
        CHECK(store->recovered_from_corruption());
        CHECK(store->append_event({}).value().sequence > last);
        CHECK(store->events({}).value().size() == 1);
    }
    CHECK(read(place.file() + ".corrupt-1") == std::string(5'000, 'x'));
    CHECK(fs::exists(place.file() + ".corrupt-2"));
    CHECK_FALSE(Store::open(place.file()).value()->recovered_from_corruption());
}

TEST_CASE("damaged files do not pile up") {
    const Place place;
    for (int i = 0; i < 12; ++i) {
        overwrite(place.file(), "not a database, but long enough to be looked at as if it were one");
        CHECK(Store::open(place.file()).value()->recovered_from_corruption());
    }
    CHECK(fs::exists(place.file() + ".corrupt-8"));
    CHECK_FALSE(fs::exists(place.file() + ".corrupt-9"));
}

TEST_CASE("a newer file of the same major version goes back, with every record and its chain") {
    const Place place;
    Event event;
    event.type = EventType::self_test;
    {
        const auto store = Store::open(place.file()).value();
        REQUIRE(store->append_event(event));
        REQUIRE(store->acknowledge(1));
        REQUIRE(store->set_value("key", "before"));
        REQUIRE(store->record_threat({.id = "", .name = "Eicar", .path = "/x", .sha256 = "aa"}));
    }
    const auto newest = static_cast<std::int64_t>(migrations().size());
    REQUIRE(Database::open(place.file())
                ->execute(fmt::format(
                    "ALTER TABLE events ADD COLUMN later TEXT NOT NULL DEFAULT 'x'; CREATE TABLE \"later \"\"one\" (x);"
                    "CREATE INDEX later_index ON events (later); CREATE VIEW later_view AS SELECT later FROM events;"
                    "CREATE TRIGGER later_trigger AFTER INSERT ON events BEGIN UPDATE facts SET value = 'x'; END;"
                    "PRAGMA user_version={}",
                    newest + 1)));
    {
        const auto store = Store::open(place.file());
        REQUIRE_MESSAGE(store, (store ? "" : store.error().message()));
        CHECK_FALSE((*store)->recovered_from_corruption());
        CHECK((*store)->events({}).value().size() == 1);
        CHECK((*store)->acknowledged() == 1);
        CHECK((*store)->threats().value().size() == 1);
        CHECK((*store)->append_event(event)->sequence == 2);
        CHECK((*store)->value("key").value() == "before");
        const auto check = (*store)->verify_events().value();
        CHECK_FALSE(check.fault);
        CHECK(check.checked == 2);
    }
    const Database database = Database::open(place.file()).value();
    CHECK(database.user_version().value() == newest);
    CHECK_FALSE(database.prepare("SELECT later FROM events"));
    auto left = database.prepare("SELECT count(*) FROM sqlite_master WHERE name LIKE '%later%' OR name LIKE 'aside%'");
    REQUIRE(left->step().value());
    CHECK(left->integer(0) == 0);
    const Database copy = Database::open(fmt::format("{}.bak-{}", place.file(), newest + 1)).value();
    CHECK(copy.prepare("SELECT later FROM events"));
}

TEST_CASE("a newer file that lacks what this version knows is conflict, and keeps its content") {
    const Place place;
    REQUIRE(Store::open(place.file()).value()->set_value("key", "before"));
    const auto newest = static_cast<std::int64_t>(migrations().size());
    REQUIRE(Database::open(place.file())
                ->execute(fmt::format("ALTER TABLE facts RENAME COLUMN value TO content; PRAGMA user_version={}",
                                      newest + 1)));
    const auto store = Store::open(place.file());
    REQUIRE_FALSE(store);
    CHECK(store.error().code() == ErrorCode::conflict);
    const Database database = Database::open(place.file()).value();
    CHECK(database.prepare("SELECT content FROM facts"));
}

TEST_CASE("a file of a newer major version is conflict, and stays as it is") {
    const Place place;
    REQUIRE(create_private_file(place.file()));
    REQUIRE(Database::open(place.file())->execute("CREATE TABLE later (x); PRAGMA user_version=1000"));
    const std::string before = read(place.file());
    const auto store = Store::open(place.file());
    REQUIRE_FALSE(store);
    CHECK(store.error().code() == ErrorCode::conflict);
    CHECK(store.error().message().find("version 1000") != std::string::npos);
    CHECK(read(place.file()) == before);
    CHECK(std::distance(fs::directory_iterator(place.path), {}) == 1);
}

TEST_CASE("a migration is preceded by a copy and happens as a whole or not at all") {
    const Place place;
    const std::array<Migration, 3> steps = {
        {{"CREATE TABLE t (x); INSERT INTO t VALUES (1)"}, {"UPDATE t SET x = 2"}, {"UPDATE t SET y = 3"}}};
    REQUIRE(create_private_file(place.file()));
    const Database database = Database::open(place.file()).value();
    REQUIRE(database.make_durable());
    REQUIRE(migrate(database, place.file(), Migrations(steps).first(1)));
    CHECK_FALSE(fs::exists(place.file() + ".bak-0"));
    CHECK_FALSE(migrate(database, place.file(), Migrations(steps))); // its last step cannot work
    const auto value = [](const Database& of) {
        auto statement = of.prepare("SELECT x FROM t").value();
        REQUIRE(statement.step().value());
        return statement.integer(0);
    };
    CHECK(database.user_version().value() == 1);
    CHECK(value(database) == 1);
    REQUIRE(migrate(database, place.file(), Migrations(steps).first(2)));
    CHECK(database.user_version().value() == 2);
    CHECK(value(database) == 2);
    const Database copy = Database::open(place.file() + ".bak-1").value();
    CHECK(copy.user_version().value() == 1);
    CHECK(value(copy) == 1);
    CHECK((fs::status(place.file() + ".bak-1").permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a link, a folder or a missing folder in the store's place is an Error") {
    const Place place;
    overwrite(place.file("target"), "precious");
    fs::create_symlink(place.file("target"), place.file("link"));
    CHECK_FALSE(Store::open(place.file("link")));
    CHECK(read(place.file("target")) == "precious");
    fs::create_directory(place.file("folder"));
    CHECK_FALSE(Store::open(place.file("folder")));
    CHECK_FALSE(Store::open((place.path / "a/b/state.db").string()));
    CHECK_FALSE(Store::open("/proc/picket/state.db"));
}

TEST_CASE("a full disk is an Error, and what was acknowledged stays readable") {
    const Place place;
    CHECK(in_child([&] {
              signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{256 * 1024, 256 * 1024};
              setrlimit(RLIMIT_FSIZE, &limit);
              return fill(place.file());
          }) == 0);
    const auto store = Store::open(place.file()).value();
    CHECK_FALSE(store->recovered_from_corruption());
    CHECK(store->append_event({}));
}

TEST_CASE("a folder that may not be written is an Error") {
    const Place place;
    fs::create_directory(place.path / "d");
    fs::permissions(place.path / "d", fs::perms::owner_read | fs::perms::owner_exec);
    const std::string file = (place.path / "d/state.db").string();
    CHECK(in_child([&] {
              if (geteuid() == 0 && (setgid(65'000) != 0 || setuid(65'000) != 0))
                  return 2;
              const auto store = Store::open(file);
              return store ? 3 : 0;
          }) == 0);
}

TEST_SUITE("root") {
    TEST_CASE("a full or read-only file system is an Error, and the store goes on once there is room") {
        const Place place;
        const std::string mount_point = place.path.string();
        if (mount("tmpfs", mount_point.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=400k") != 0) {
            MESSAGE("skipped: a tmpfs cannot be mounted here");
            return;
        }
        const ScopeExit cleanup([&] { umount2(mount_point.c_str(), MNT_DETACH); });
        CHECK(fill(place.file()) == 0);
        REQUIRE(mount("tmpfs", mount_point.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=400k") == 0);
        CHECK_FALSE(Store::open(place.file()));
        REQUIRE(mount("tmpfs", mount_point.c_str(), "tmpfs", MS_REMOUNT, "size=4m") == 0);
        const auto store = Store::open(place.file()).value();
        CHECK_FALSE(store->recovered_from_corruption());
        CHECK(store->append_event({}));
    }
}
