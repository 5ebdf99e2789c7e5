#include <picket/definitions/store.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>

#include <doctest/doctest.h>
#include <fcntl.h>

using namespace picket;
using namespace picket::definitions;
namespace fs = std::filesystem;

namespace {

struct StoreFixture {
    std::string top = "/tmp/picket-definitions-XXXXXX";
    std::optional<sys::Root> root;
    std::optional<Store> store;
    StoreFixture() {
        REQUIRE(mkdtemp(top.data()) != nullptr);
        auto opened = sys::Root::open(top);
        REQUIRE(opened);
        root.emplace(std::move(*opened));
        store.emplace(*root);
    }
    ~StoreFixture() { fs::remove_all(top); }
    std::string path(const std::string& below) const { return top + "/var/lib/picket/definitions/" + below; }
    Result<Generation> install(const std::string& name, const std::string& content = "A:0:*:00112233\n") {
        return store->install(name, {{.name = "a.ndb", .content = content}}, "test", WallTime{});
    }
};

} // namespace

TEST_CASE("a generation is complete, described, readable for everybody, and current when it is made so") {
    StoreFixture fixture;
    CHECK(fixture.store->current().error().code() == ErrorCode::not_found);
    CHECK(fixture.store->list()->empty());
    const mode_t mask = umask(077);
    const std::string source_path = fixture.top + "/source";
    std::ofstream(source_path) << "# comment\nA:0:*:00\n\nB:0:*:01";
    const UniqueFd source(open(source_path.c_str(), O_RDONLY));
    const auto generation = fixture.store->install(
        "20261124T000000Z-aa", {{.name = "b.ndb", .fd = source.get()}, {.name = "a.hdb", .content = "x:1:y\n"}},
        "bundle 0.1.0", WallTime{});
    umask(mask);
    REQUIRE_MESSAGE(generation, (generation ? "" : generation.error().message()));
    CHECK(generation->signatures() == 3);
    CHECK(fixture.store->current().error().code() == ErrorCode::not_found);
    REQUIRE(fixture.store->make_current("20261124T000000Z-aa"));
    CHECK(*fixture.store->current() == "20261124T000000Z-aa");
    CHECK(*fixture.store->files_of("20261124T000000Z-aa") == std::vector<std::string>{"a.hdb", "b.ndb"});
    CHECK(fixture.store->verify("20261124T000000Z-aa"));
    const auto described = fixture.store->describe("20261124T000000Z-aa");
    REQUIRE(described);
    CHECK(described->source == "bundle 0.1.0");
    CHECK(described->files[1].signatures == 2);
    for (const char* name : {"current/a.hdb", "current/manifest.json"})
        CHECK((fs::status(fixture.path(name)).permissions() & fs::perms::others_read) != fs::perms::none);
    CHECK((fs::status(fixture.path("current/")).permissions() & fs::perms::others_exec) != fs::perms::none);
}

TEST_CASE("names that may not be are refused, and nothing is left behind") {
    StoreFixture fixture;
    for (const char* name : {"../a.ndb", "a", "a.cbc", ".ndb", "a.cfg", "a/b.ndb", "a b.ndb", "daily.info", ""})
        CHECK(fixture.store->install("g1", {{.name = name, .content = "x"}}, "t", WallTime{}).error().code() ==
              ErrorCode::invalid_input);
    for (const char* name : {"", "..", "a/b", ".new-x", "a\n"})
        CHECK(fixture.install(name).error().code() == ErrorCode::invalid_input);
    CHECK(fixture.store
              ->install("g1", {{.name = "a.ndb", .content = "x"}, {.name = "a.ndb", .content = "y"}}, "t", WallTime{})
              .error()
              .code() == ErrorCode::invalid_input);
    CHECK(fixture.store->list()->empty());
}

TEST_CASE("what cannot be read leaves no generation") {
    StoreFixture fixture;
    const UniqueFd directory(open("/tmp", O_RDONLY | O_DIRECTORY));
    CHECK(!fixture.store->install("g1", {{.name = "a.ndb", .fd = directory.get()}}, "t", WallTime{}));
    CHECK(fs::is_empty(fixture.path("generations")));
}

TEST_CASE("the same generation again is success, other content under its name is a conflict") {
    StoreFixture fixture;
    REQUIRE(fixture.install("g1"));
    CHECK(fixture.install("g1"));
    CHECK(fixture.install("g1", "B:0:*:01\n").error().code() == ErrorCode::conflict);
    CHECK(fixture.store->verify("g1"));
    CHECK(fixture.store->list()->size() == 1);
}

TEST_CASE("an install that was killed half-way is cleaned up by the next") {
    StoreFixture fixture;
    fs::create_directories(fixture.path("generations/.new-g1"));
    std::ofstream(fixture.path("generations/.new-g1/half.ndb")) << "x";
    CHECK(fixture.store->list()->empty());
    REQUIRE(fixture.install("g1"));
    CHECK(*fixture.store->files_of("g1") == std::vector<std::string>{"a.ndb"});
    CHECK(!fs::exists(fixture.path("generations/.new-g1")));
}

TEST_CASE("rollback goes to the one before; prune keeps two and the current one") {
    StoreFixture fixture;
    for (const char* name : {"g1", "g2", "g3", "g4"})
        REQUIRE(fixture.install(name));
    REQUIRE(fixture.store->make_current("g4"));
    CHECK(*fixture.store->rollback() == "g3");
    CHECK(*fixture.store->rollback() == "g2");
    CHECK(*fixture.store->prune() == std::vector<std::string>{"g1"});
    CHECK(*fixture.store->list() == std::vector<std::string>{"g2", "g3", "g4"});
    CHECK(fixture.store->rollback().error().code() == ErrorCode::not_found);
    CHECK(*fixture.store->current() == "g2");
}

TEST_CASE("prune never deletes what it does not know") {
    StoreFixture fixture;
    for (const char* name : {"g1", "g2", "g3"})
        REQUIRE(fixture.install(name));
    std::ofstream(fixture.path("generations/g1/important.txt")) << "mine";
    CHECK(!fixture.store->prune());
    CHECK(fs::exists(fixture.path("generations/g1/important.txt")));
}

TEST_CASE("a changed, missing or added file is found") {
    StoreFixture fixture;
    for (const char* name : {"g1", "g2", "g3"})
        REQUIRE(fixture.install(name));
    std::ofstream(fixture.path("generations/g1/a.ndb"), std::ios::app) << "x";
    fs::remove(fixture.path("generations/g2/a.ndb"));
    std::ofstream(fixture.path("generations/g3/z.ndb")) << "x";
    for (const char* name : {"g1", "g2", "g3"})
        CHECK(fixture.store->verify(name).error().code() == ErrorCode::corrupt);
}

TEST_CASE("current that leads elsewhere is corrupt, whatever is there") {
    StoreFixture fixture;
    REQUIRE(fixture.install("g1"));
    for (const char* target : {"../../../../etc", "generations/../..", "/etc", "generations/"}) {
        fs::remove(fixture.path("current"));
        fs::create_symlink(target, fixture.path("current"));
        CHECK(fixture.store->current().error().code() == ErrorCode::corrupt);
    }
    CHECK(fixture.store->make_current("nothing").error().code() == ErrorCode::not_found);
    REQUIRE(fixture.store->make_current("g1"));
    CHECK(*fixture.store->current() == "g1");
}

TEST_CASE("a damaged manifest is corrupt") {
    StoreFixture fixture;
    REQUIRE(fixture.install("g1"));
    for (const char* text :
         {"", "{}", "{\"files\": []}", "{\"files\": [{\"name\": \"../x\", \"sha256\": \"\", \"size\": 1}]}"}) {
        std::ofstream(fixture.path("generations/g1/manifest.json")) << text;
        CHECK(fixture.store->describe("g1").error().code() == ErrorCode::corrupt);
    }
}

TEST_CASE("two that change at once: the second is told") {
    StoreFixture fixture;
    REQUIRE(fixture.install("g1"));
    const UniqueFd held(open(fixture.path("").c_str(), O_RDONLY | O_DIRECTORY));
    REQUIRE(flock(held.get(), LOCK_EX) == 0);
    CHECK(fixture.install("g2").error().code() == ErrorCode::conflict);
    CHECK(fixture.store->make_current("g1").error().code() == ErrorCode::conflict);
}

TEST_CASE("generation names sort by age and fit the wire") {
    const std::string older = make_generation_name(WallTime(std::chrono::seconds(1'800'000'000)), "ffffffffff");
    const std::string newer = make_generation_name(WallTime(std::chrono::seconds(1'800'000'001)), "0000000000");
    CHECK(older == "20270115T080000Z-ffffffff");
    CHECK(older < newer);
    CHECK(is_generation_name(older));
}
