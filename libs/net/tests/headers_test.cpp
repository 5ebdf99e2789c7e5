#include "headers.h"

#include <doctest/doctest.h>

using namespace picket;
using namespace picket::net;
using std::chrono::seconds;

TEST_CASE("Retry-After: seconds or a date, at most a day") {
    const auto now = std::chrono::system_clock::from_time_t(784'111'777); // 06 Nov 1994 08:49:37
    CHECK(parse_retry_after("120", now) == seconds(120));
    CHECK(parse_retry_after("0", now) == seconds(0));
    CHECK(parse_retry_after("99999999999", now) == seconds(86'400));
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:51:37 GMT", now) == seconds(120));
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now) == seconds(0));
    CHECK(parse_retry_after("Fri, 06 Nov 2054 08:49:00 GMT", now) == seconds(86'400));
    for (const char* wrong : {"", "-1", "soon", "1e9", "Sun, 06 Nov 1994 08:49:37", "18446744073709551616"})
        CHECK_FALSE(parse_retry_after(wrong, now).has_value());
}

TEST_CASE("a new status line forgets what the answer before said") {
    HeaderReader reader;
    for (const char* line : {"HTTP/1.1 302 Found\r\n", "ETag: \"old\"\r\n", "Retry-After: 5\r\n", "\r\n",
                             "HTTP/1.1 206 Partial Content\r\n", "content-range: bytes 100-199/200\r\n",
                             "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"})
        reader.line(line);
    CHECK(reader.response().status == 206);
    CHECK(reader.response().etag.empty());
    CHECK_FALSE(reader.response().retry_after.has_value());
    CHECK(reader.response().last_modified == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(reader.content_offset(100) == 100);
    CHECK_FALSE(reader.content_offset(99).has_value());
    CHECK_FALSE(reader.content_offset(0).has_value());
}

TEST_CASE("a part without Content-Range, or with nonsense in it, is no part") {
    for (const char* range :
         {"", "Content-Range: bytes */200", "Content-Range: lines 5-6/7", "Content-Range: bytes -5"}) {
        HeaderReader reader;
        reader.line("HTTP/2 206");
        reader.line(range);
        CHECK_FALSE(reader.content_offset(5).has_value());
    }
    HeaderReader whole;
    whole.line("HTTP/1.0 200 OK");
    CHECK(whole.content_offset(5) == 0);
}

TEST_CASE("an ETag that is long or does not print is none") {
    HeaderReader reader;
    reader.line("HTTP/1.1 200 OK");
    reader.line("ETag: \"a\x01\"");
    CHECK(reader.response().etag.empty());
    reader.line("ETag: " + std::string(300, 'x'));
    CHECK(reader.response().etag.empty());
    reader.line("etag:W/\"1\"");
    CHECK(reader.response().etag == "W/\"1\"");
}
