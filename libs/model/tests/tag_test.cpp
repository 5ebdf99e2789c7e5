#include <doctest/doctest.h>

#include <picket/model/tag.h>

using namespace picket;

TEST_CASE("tags: a word and one printable line") {
    CHECK(check_tag("site", "Berlin 1"));
    CHECK(check_tag("site", ""));
    CHECK_FALSE(check_tag("", "x"));
    CHECK_FALSE(check_tag("1a", "x"));
    CHECK_FALSE(check_tag("a", "two\nlines"));
}
