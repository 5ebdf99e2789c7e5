#include <doctest/doctest.h>

#include <cerrno>
#include <fcntl.h>
#include <thread>

#include <picket/base/bounded_queue.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>

using namespace picket;

static Result<int> half(int value) {
    if (value % 2 != 0)
        return Error(ErrorCode::invalid_input, "odd");
    return value / 2;
}
static Result<int> quarter(int value) {
    const int halved = PICKET_TRY(half(value));
    return PICKET_TRY(half(halved));
}
static Result<void> must_divide(int value) {
    PICKET_TRY(quarter(value));
    return {};
}

TEST_CASE("PICKET_TRY hands on the value or returns the error") {
    CHECK(quarter(8).value() == 2);
    CHECK(quarter(6).error().message() == "odd");
    CHECK(must_divide(4).has_value());
    CHECK(must_divide(6).error().code() == ErrorCode::invalid_input);
    CHECK(half(3).value_or(7) == 7);
}

TEST_CASE("an Error from errno says what the caller does about it") {
    const Error error = Error::from_errno(ENOENT, "open").with_context("reading /etc/x");
    CHECK(error.code() == ErrorCode::not_found);
    CHECK(error.errno_value() == ENOENT);
    CHECK(error.message() == "reading /etc/x: open: No such file or directory");
    CHECK(Error::from_errno(ENOSPC, "write").code() == ErrorCode::exhausted);
    CHECK(Error::from_errno(EACCES, "open").code() == ErrorCode::permission);
}

TEST_CASE("a context that the message names already is not named again") {
    CHECK(Error(ErrorCode::corrupt, "a.zip: not a zip").with_context("a.zip").message() == "a.zip: not a zip");
    const Error opened = Error::from_errno(ENOENT, "open /etc/x");
    CHECK(opened.with_context("/etc/x").message() == "open /etc/x: No such file or directory");
    CHECK(opened.with_context("/etc").message() == "/etc: open /etc/x: No such file or directory");
    CHECK(opened.with_context("open").message() == "open: open /etc/x: No such file or directory");
    CHECK(Error(ErrorCode::corrupt, "not a regular file: /etc/x").with_context("/etc/x").message() ==
          "not a regular file: /etc/x");
}

TEST_CASE("UniqueFd closes exactly once and keeps errno") {
    const int raw = open("/dev/null", O_RDONLY | O_CLOEXEC);
    {
        UniqueFd first(raw);
        UniqueFd second(std::move(first));
        CHECK_FALSE(first);
        CHECK(second.get() == raw);
        errno = 42;
    }
    CHECK(errno == 42);
    CHECK(fcntl(raw, F_GETFD) == -1);
}

TEST_CASE("escape_for_display leaves one safe line") {
    CHECK(escape_for_display("Grüße/日本") == "Grüße/日本");
    CHECK(escape_for_display("a\nb\x1b[31m") == "a\\x0ab\\x1b[31m");
    CHECK(escape_for_display("\xff\xc3") == "\\xff\\xc3");
    CHECK(escape_for_display("x\xe2\x80\xaegpj") == "x\\xe2\\x80\\xaegpj");
    CHECK_FALSE(is_valid_utf8("\xed\xa0\x80"));
    CHECK_FALSE(is_valid_utf8("\xc0\xaf"));
}

TEST_CASE("base64 is strict and turns round") {
    for (const std::string text : {"", "f", "fo", "foo", "foob", "\xff\x00\x80"}) {
        const auto back = from_base64(to_base64(as_bytes(text)));
        REQUIRE(back);
        CHECK(as_text(*back) == text);
    }
    for (const char* bad : {"Zg", "Zg=", "Z===", "Zh==", "Zm9v\n", "====", "Zg==Zg=="})
        CHECK_MESSAGE(!from_base64(bad), bad);
    CHECK(to_hex(as_bytes("\x01\xab")) == "01ab");
    CHECK(!from_hex("0g"));
    CHECK(!from_hex("abc"));
}

TEST_CASE("closest_match finds misspellings, not strangers") {
    const std::vector<std::string> keys{"enforcementLevel", "scanArchives", "exclusions"};
    CHECK(closest_match("enforcmentLevel", keys) == "enforcementLevel");
    CHECK(closest_match("scanarchive", keys) == "scanArchives");
    CHECK_FALSE(closest_match("zzz", keys));
}

TEST_CASE("BoundedQueue refuses when full and drains after close") {
    BoundedQueue<int> queue(2);
    CHECK(queue.push(1));
    CHECK(queue.push(2));
    CHECK_FALSE(queue.push(3));
    std::thread consumer([&] {
        CHECK(queue.pop() == 1);
        CHECK(queue.pop() == 2);
        CHECK_FALSE(queue.pop());
    });
    queue.close();
    consumer.join();
    CHECK_FALSE(queue.push(4));
}

TEST_CASE("times are RFC 3339 in UTC") {
    CHECK(to_rfc3339(WallTime(std::chrono::milliseconds(1'800'000'000'042))) == "2027-01-15T08:00:00.042Z");
    CHECK(to_rfc3339(WallTime(std::chrono::milliseconds(-1))) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("sizes and numbers") {
    CHECK(to_human(Bytes{512}) == "512 B");
    CHECK(to_human(mebibytes(3)) == "3.0 MiB");
    CHECK(parse_unsigned("18446744073709551615") == 18446744073709551615ULL);
    CHECK_FALSE(parse_unsigned("18446744073709551616"));
    CHECK_FALSE(parse_unsigned("-1"));
    CHECK_FALSE(parse_unsigned(""));
    CHECK_FALSE(parse_unsigned("1 "));
}
