#include <doctest/doctest.h>

#include <picket/profile/policy.h>

using namespace picket::profile;

namespace {
ExclusionMatcher folder(const std::string& rule) {
    ExclusionMatcher matcher;
    matcher.directories = {rule};
    return matcher;
}
ExclusionMatcher file(const std::string& rule) {
    ExclusionMatcher matcher;
    matcher.files = {rule};
    return matcher;
}
} // namespace

TEST_CASE("a folder rule covers the folder and what is below, nothing beside it") {
    for (const char* rule : {"/a", "/a/"}) {
        const ExclusionMatcher matcher = folder(rule);
        CHECK(matcher.excludes_path("/a"));
        CHECK(matcher.excludes_path("/a/"));
        CHECK(matcher.excludes_path("/a/b"));
        CHECK(matcher.excludes_path("/a/b/c.txt"));
        CHECK_FALSE(matcher.excludes_path("/ab"));
        CHECK_FALSE(matcher.excludes_path("/ab/c"));
        CHECK_FALSE(matcher.excludes_path("/"));
        CHECK_FALSE(matcher.excludes_path("/b/a/c"));
        CHECK_FALSE(matcher.excludes_path(""));
        CHECK_FALSE(matcher.excludes_path("a/b"));
    }
    CHECK_FALSE(folder("/a/b").excludes_path("/a"));
    CHECK_FALSE(ExclusionMatcher{}.excludes_path("/a"));
    CHECK_FALSE(ExclusionMatcher{}.has_path_rules());
    CHECK(folder("/a").has_path_rules());
    CHECK_FALSE(folder("/a").has_process_rules());
}

TEST_CASE("a star stays within its component") {
    CHECK(folder("/home/*/git").excludes_path("/home/ann/git/x"));
    CHECK_FALSE(folder("/home/*/git").excludes_path("/home/ann/src/git/x"));
    CHECK_FALSE(folder("/home/*/git").excludes_path("/home/git"));
    CHECK(folder("/srv/b*d").excludes_path("/srv/bd"));
    CHECK(folder("/srv/b*d").excludes_path("/srv/build/x"));
    CHECK_FALSE(folder("/srv/b*d").excludes_path("/srv/b/d"));
    CHECK(folder("/srv/*a*b*").excludes_path("/srv/xxaxbx"));
    CHECK_FALSE(folder("/srv/*a*b*").excludes_path("/srv/ba"));
    CHECK_FALSE(folder("/srv/ab*ba").excludes_path("/srv/aba"));
    CHECK(file("/srv/*.log").excludes_path("/srv/x.log"));
    CHECK_FALSE(file("/srv/*.log").excludes_path("/srv/x.log/y"));
    CHECK_FALSE(file("/srv/*.log").excludes_path("/srv/d/x.log"));
    CHECK(folder("/srv/?").excludes_path("/srv/?"));
    CHECK_FALSE(folder("/srv/?").excludes_path("/srv/a"));
}

TEST_CASE("a file rule is exactly that file") {
    CHECK(file("/a/b").excludes_path("/a/b"));
    CHECK_FALSE(file("/a/b").excludes_path("/a/b/c"));
    CHECK_FALSE(file("/a/b").excludes_path("/a/bc"));
    CHECK_FALSE(file("/a/b").excludes_path("/x/a/b"));
}

TEST_CASE("an extension is what follows the last dot, compared exactly") {
    ExclusionMatcher matcher;
    matcher.extensions = {"log"};
    CHECK(matcher.excludes_path("/a/b.log"));
    CHECK(matcher.excludes_path("/a/b.tar.log"));
    CHECK_FALSE(matcher.excludes_path("/a/b.LOG"));
    CHECK_FALSE(matcher.excludes_path("/a/b.log.gz"));
    CHECK_FALSE(matcher.excludes_path("/a/blog"));
    CHECK_FALSE(matcher.excludes_path("/a/.log"));
    CHECK_FALSE(matcher.excludes_path("/a/b."));
    CHECK_FALSE(matcher.excludes_path("/a.log/b"));
    matcher.extensions = {""};
    CHECK_FALSE(matcher.excludes_path("/a/b."));
    CHECK_FALSE(matcher.excludes_path("/a/b"));
}

TEST_CASE("a name is the whole last component") {
    ExclusionMatcher matcher;
    matcher.names = {"core"};
    CHECK(matcher.excludes_path("/a/core"));
    CHECK_FALSE(matcher.excludes_path("/a/core.1"));
    CHECK_FALSE(matcher.excludes_path("/core/a"));
    CHECK_FALSE(matcher.excludes_path("/a/xcore"));
}

TEST_CASE("a process is named by its path or its last component") {
    ExclusionMatcher matcher;
    matcher.processes = {"/usr/sbin/mysqld", "rsync"};
    CHECK(matcher.excludes_process("/usr/sbin/mysqld"));
    CHECK_FALSE(matcher.excludes_process("/tmp/mysqld"));
    CHECK(matcher.excludes_process("/opt/x/rsync"));
    CHECK_FALSE(matcher.excludes_process("/opt/x/rsyncd"));
    CHECK_FALSE(matcher.excludes_process("rsync"));
    CHECK_FALSE(matcher.excludes_process(""));
    CHECK(matcher.has_process_rules());
}

TEST_CASE("long and strange paths are matched byte by byte, without blow-up") {
    CHECK(folder("/d/\xff\xfe").excludes_path("/d/\xff\xfe/x"));
    CHECK(folder("/d/*").excludes_path("/d/\xff\n\x01/x"));
    CHECK_FALSE(folder("/d").excludes_path(std::string("/d\0/x", 5)));
    std::string stars = "/";
    for (int i = 0; i < 120; ++i)
        stars += "*a";
    CHECK_FALSE(folder(stars + "b").excludes_path("/" + std::string(1'000, 'a')));
    CHECK_FALSE(folder(stars + "b").excludes_path("/" + std::string(4'000'000, 'a')));
    std::string deep;
    for (int i = 0; i < 200'000; ++i)
        deep += "/a";
    CHECK(folder("/a/a").excludes_path(deep));
    CHECK_FALSE(folder(deep + "/b").excludes_path(deep));
}
