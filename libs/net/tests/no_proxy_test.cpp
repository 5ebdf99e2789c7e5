#include <doctest/doctest.h>

#include <picket/net/no_proxy.h>

using namespace picket::net;

TEST_CASE("where a URL leads") {
    CHECK(place_of("https://Mirror.Example.org/picket").text() == "mirror.example.org:443");
    CHECK(place_of("http://mirror.example.org:8080?x").text() == "mirror.example.org:8080");
    CHECK(place_of("https://[2001:DB8::1]:8443/").text() == "[2001:db8::1]:8443");
    CHECK(place_of("http://[::1]").text() == "[::1]:80");
    CHECK(place_of("http://[::1]").is_address);
    CHECK(place_of("http://10.0.0.1/").is_address);
    CHECK_FALSE(place_of("http://10.example.org/").is_address);
    CHECK(place_of("https://a/").secure);
    CHECK(place_of("http://mirror./").host == "mirror");
    for (const char* bad : {"", "mirror", "ftp://mirror/", "://", "http://[", "http://"})
        CHECK_MESSAGE(place_of(bad).host.empty(), bad);
}

TEST_CASE("a name counts for itself and what is below it, an address for itself, a range for what is in it") {
    struct Row {
        const char* entry;
        const char* url;
        bool bypasses;
    };
    for (const Row& row : {Row{"example.org", "https://example.org/", true},
                           Row{"example.org", "https://mirror.example.org:8443/x", true},
                           Row{"Example.ORG", "https://MIRROR.example.org", true},
                           Row{".example.org", "https://mirror.example.org", true},
                           Row{".example.org", "https://example.org", true},
                           Row{"example.org", "https://notexample.org", false},
                           Row{"example.org", "https://example.org.evil.net", false},
                           Row{"mirror.example.org", "https://example.org", false},
                           Row{"10.0.0.1", "http://10.0.0.1:80/", true},
                           Row{"10.0.0.1", "http://10.0.0.10/", false},
                           Row{"10.0.0.0/8", "http://10.255.0.1/", true},
                           Row{"10.0.0.0/8", "http://11.0.0.1/", false},
                           Row{"10.0.0.0/9", "http://10.128.0.1/", false},
                           Row{"0.0.0.0/0", "http://8.8.8.8/", true},
                           Row{"10.0.0.0/8", "http://[::1]/", false},
                           Row{"fd00::/8", "http://[fd12::1]:80/", true},
                           Row{"fd00::/8", "http://[fe80::1]/", false},
                           Row{"::1", "http://[0:0:0:0:0:0:0:1]/", true},
                           Row{"10.0.0.0/8", "http://10.example.org/", false},
                           Row{"*", "https://any.where/", true},
                           Row{"", "https://any.where/", false},
                           Row{".", "https://any.where/", false},
                           Row{"10.0.0.0/99", "http://10.0.0.0/", false}}) {
        CAPTURE(row.entry);
        CAPTURE(row.url);
        CHECK(bypasses_proxy(row.url, {row.entry}) == row.bypasses);
    }
    CHECK_FALSE(bypasses_proxy("https://a/", {}));
    CHECK(bypasses_proxy("https://b/", {"a", "b"}));
}
