#include <doctest/doctest.h>

#include <cstdlib>
#include <unistd.h>

#include <picket/base/text.h>
#include <picket/crypto/openpgp.h>
#include <picket/sys/process.h>

using namespace picket;
using namespace picket::crypto;

namespace {

/// A made-up certificate: a key packet of version 4 and a user id, in the old and in the new spelling of headers.
std::string packet(char head, const std::string& body) {
    return std::string{head, static_cast<char>(body.size())} + body;
}
std::string certificate(char seed, bool new_format = false) {
    const std::string key = std::string{4, 0, 0, 0, seed} + std::string(20, seed);
    return new_format ? packet('\xC6', key) + packet('\xCD', "Joe <joe@example.org>")
                      : packet('\x98', key) + packet('\xB4', "Joe <joe@example.org>");
}

/// gpg with a home of its own.
class Gpg {
  public:
    Gpg() { REQUIRE(mkdtemp(home_.data()) != nullptr); }
    ~Gpg() {
        (void)sys::run({"gpgconf", "--homedir", home_, "--kill", "all"});
        (void)sys::run({"rm", "-rf", "--", home_});
    }
    Gpg(const Gpg&) = delete;
    Gpg& operator=(const Gpg&) = delete;
    sys::RunOutcome run(std::vector<std::string> arguments, const std::string& input = "") const {
        arguments.insert(arguments.begin(), {"gpg", "--homedir", home_, "--batch", "--quiet", "--no-tty",
                                             "--pinentry-mode", "loopback", "--passphrase", ""});
        sys::RunOptions options;
        options.input = input;
        return sys::run(arguments, options).value();
    }

  private:
    std::string home_ = "/tmp/picket-gpg-XXXXXX";
};

} // namespace

TEST_CASE("certificates are told apart, in both spellings, and each counts once") {
    const std::string one = certificate('a');
    const std::string two = certificate('b', true);
    const auto parsed = parse_certificates(one + two + one);
    REQUIRE(parsed);
    REQUIRE(parsed->size() == 2);
    CHECK((*parsed)[0].bytes == one);
    CHECK((*parsed)[1].bytes == two);
    const auto again = parse_certificates("Some words\n" + to_armor((*parsed)[0]) + "\n" + to_armor((*parsed)[1]));
    REQUIRE(again);
    REQUIRE(again->size() == 2);
    CHECK((*again)[1].fingerprint == (*parsed)[1].fingerprint);
    CHECK((*again)[1].bytes == two);
}

TEST_CASE("what is no certificate is refused with the reason") {
    const std::string good = certificate('a');
    const std::vector<std::pair<std::string, const char*>> rows{
        {"", "empty"},
        {"just text", "neither binary nor armored"},
        {good.substr(0, good.size() - 1), "cut off"},
        {packet('\x94', std::string(25, 4)), "secret key"},
        {good + packet('\x94', std::string(25, 4)), "secret key"},
        {packet('\x98', std::string{3, 0, 0}), "version 4"},
        {packet('\xB4', "Joe"), "packet of kind 13"},
        {std::string("\x9B\x04", 2), "cut off"}, // a body without a length
        {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA", "no end"},
        {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----", "damaged"},
    };
    for (const auto& [file, reason] : rows) {
        const auto parsed = parse_certificates(file);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code() == ErrorCode::invalid_input);
        CHECK_MESSAGE(parsed.error().message().find(reason) != std::string::npos, parsed.error().message());
    }
}

TEST_CASE("a fingerprint is taken as people copy it") {
    CHECK(fingerprint_of("a404 b521 2ef4 fd70 9fe1  56b6 ea74 0877 a17b d8d8").value_or("") ==
          "A404B5212EF4FD709FE156B6EA740877A17BD8D8");
    CHECK_FALSE(fingerprint_of("A17BD8D8"));
    CHECK_FALSE(fingerprint_of("/root/key.asc"));
}

TEST_CASE("gpg and this library agree") {
    if (access("/usr/bin/gpg", X_OK) != 0) {
        MESSAGE("skipped: gpg is not installed");
        return;
    }
    const Gpg gpg;
    REQUIRE(gpg.run({"--quick-generate-key", "Joe <joe@example.org>", "ed25519", "sign", "never"}).ok());
    const auto exported = parse_certificates(gpg.run({"--armor", "--export"}).output);
    REQUIRE(exported);
    REQUIRE(exported->size() == 1);
    const std::string listed = gpg.run({"--with-colons", "--list-keys"}).output;
    CHECK(listed.find(":" + exported->front().fingerprint + ":") != std::string::npos);
    const auto secret = parse_certificates(gpg.run({"--export-secret-keys"}).output);
    REQUIRE_FALSE(secret);
    CHECK(secret.error().message().find("secret key") != std::string::npos);

    const std::string shown = gpg.run({"--with-colons", "--show-keys"}, to_armor(exported->front())).output;
    CHECK(shown.find(exported->front().fingerprint) != std::string::npos);
}
