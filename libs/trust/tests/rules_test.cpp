#include <doctest/doctest.h>

#include <string>

#include <picket/trust/rules.h>
#include <picket/trust/time_text.h>

using namespace picket;
using namespace picket::trust;

TEST_CASE("URLs") {
    for (const char* good : {"https://example.org", "http://example.org:8080/a/b?c=d", "https://[2001:db8::1]:443/",
                             "HTTPS://example.org"})
        CHECK_MESSAGE(check_url(good), good);
    for (const char* bad :
         {"", "example.org", "ftp://example.org", "https://", "https://user:pw@example.org", "https://exa mple.org",
          "https://example.org:0", "https://example.org:65536", "https://example.org:x", "file:///etc/passwd",
          "https://[::1", "https://ex\xc3\xa4mple.org", "https://a/\n"})
        CHECK_MESSAGE(!check_url(bad), bad);
    CHECK(check_url("https://user:pw@example.org").error().message().find("pw") == std::string::npos);
}

TEST_CASE("a proxy is http://HOST:PORT, and everything else says what to do instead") {
    CHECK(check_proxy_url("http://proxy.example.org:3128"));
    CHECK(check_proxy_url("http://10.0.0.1:8080/"));
    struct Row {
        const char* url;
        const char* reason;
    };
    for (const Row& row :
         {Row{"http://proxy/proxy.pac", "PAC"}, Row{"http://wpad/wpad.dat", "PAC"}, Row{"pac+http://x:1", "PAC"},
          Row{"http://user:pw@proxy:3128", "by address"}, Row{"https://proxy:3128", "plain HTTP"},
          Row{"socks5://proxy:1080", "plain HTTP"}, Row{"http://proxy", "HOST:PORT"},
          Row{"http://proxy:3128/x", "HOST:PORT"}, Row{"proxy:3128", "starts with"}}) {
        const auto result = check_proxy_url(row.url);
        REQUIRE_FALSE(result);
        CHECK_MESSAGE(result.error().message().find(row.reason) != std::string::npos, result.error().message());
        CHECK(result.error().message().find("pw@") == std::string::npos);
    }
}

TEST_CASE("what is reached without the proxy: hosts, addresses, ranges") {
    CHECK(check_no_proxy({}));
    CHECK(check_no_proxy({"example.org", ".example.org", "10.0.0.1", "10.0.0.0/8", "fd00::/8", "::1", "*"}));
    for (const char* bad : {"", "https://example.org", "example.org:443", "a b", "10.0.0.0/", "10.0.0.0/x",
                            "10.0.0.0/129", "/8", "a,b", "**", "a\n"})
        CHECK_MESSAGE(!check_no_proxy({bad}), bad);
    CHECK_FALSE(check_no_proxy(std::vector<std::string>(65, "a")));
}

TEST_CASE("tags, names, regions") {
    CHECK(check_organisation_name("Müller & Söhne"));
    CHECK_FALSE(check_organisation_name(" a"));
    CHECK_FALSE(check_organisation_name(""));
    CHECK_FALSE(check_organisation_name("a\x1b[31m"));
    CHECK(check_region("eu-central"));
    CHECK_FALSE(check_region("EU"));
    CHECK_FALSE(check_region("e"));
    CHECK(check_profile_name("10-base.v2"));
    CHECK_FALSE(check_profile_name(".hidden"));
    CHECK_FALSE(check_profile_name("a/b"));
}

TEST_CASE("times and durations") {
    const WallTime day(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24));
    CHECK(parse_time("2026-11-24") == day);
    CHECK(parse_time("2026-11-24T01:02:03Z") == day + std::chrono::seconds(3723));
    CHECK(parse_time(to_rfc3339(day + std::chrono::milliseconds(5))) == day + std::chrono::milliseconds(5));
    for (const char* bad : {"", "2026", "2026-02-30", "2026-11-24T25:00:00Z", "2026-11-24 01:02:03",
                            "2026-11-24T01:02:03", "2026-11-24T01:02:03+01:00", "9999-01-01", "2026-11-24T01:02:03.12Z",
                            "2026-1-1", "-026-11-24", "2026-11-24T"})
        CHECK_MESSAGE(!parse_time(bad), bad);
    CHECK(parse_duration("90d") == std::chrono::hours(24 * 90));
    CHECK(parse_duration("12h") == std::chrono::hours(12));
    CHECK(parse_duration("30m") == std::chrono::minutes(30));
    for (const char* bad : {"", "d", "0d", "90", "-1d", "3651d", "1.5d", "99999999999999999999d", "1y"})
        CHECK_MESSAGE(!parse_duration(bad), bad);
}
