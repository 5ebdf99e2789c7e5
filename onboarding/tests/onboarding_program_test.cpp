#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <picket/data/json.h>
#include <picket/sys/file.h>
#include <picket/sys/process.h>

using namespace picket;

namespace {

/// A home of its own that goes with the test.
class Home {
  public:
    Home() { REQUIRE(mkdtemp(path_.data()) != nullptr); }
    ~Home() { CHECK(sys::run({"rm", "-r", "--", path_}).value().ok()); }
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;

    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    void write(const std::string& name, std::string_view content) const {
        std::ofstream(*this / name, std::ios::binary) << content;
        REQUIRE(chmod((*this / name).c_str(), 0600) == 0);
    }
    std::string read(const std::string& name) const { return sys::read_kernel_file(*this / name).value(); }
    mode_t mode(const std::string& name) const {
        struct stat status {};
        REQUIRE(stat((*this / name).c_str(), &status) == 0);
        return status.st_mode & 07777;
    }
    sys::RunOutcome run(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), PICKET_PROGRAM);
        sys::RunOptions options;
        options.environment = {{"HOME", path_}};
        return sys::run(arguments, options).value();
    }
    data::Json json(std::vector<std::string> arguments, int expected = 0) const {
        arguments.insert(arguments.end(), {"--output", "json"});
        const sys::RunOutcome outcome = run(arguments);
        CAPTURE(outcome.error_output);
        REQUIRE(outcome.exit_status == expected);
        return data::member(data::parse_json(outcome.output).value(), "data");
    }
    void init() const { REQUIRE(run({"init", "--org", "Acme Ltd", "--region", "eu-central"}).ok()); }

  private:
    std::string path_ = "/tmp/picket-onboarding-XXXXXX";
};

void check_fails(const sys::RunOutcome& outcome, int exit_status, std::string_view reason) {
    CAPTURE(outcome.error_output);
    CHECK(outcome.exit_status == exit_status);
    CHECK(outcome.error_output.find(reason) != std::string::npos);
    CHECK(outcome.output.empty());
}

} // namespace

TEST_CASE("init, create, inspect and verify work together") {
    const Home home;
    const auto made = home.json({"init", "--org", "Acme Ltd", "--region", "eu-central"});
    CHECK(home.mode(".config/picket/organisation") == 0700);
    CHECK(home.mode(".config/picket/organisation/acme-ltd.key") == 0600);
    home.write("base.yaml", "antivirusEngine:\n  enforcementLevel: audit\n");
    home.json({"create", "--tag", "site=Berlin 1", "--definitions-url", "https://d.example.org/", "--proxy",
               "http://proxy:3128", "--profile", home / "base.yaml", "-o", home / "acme.zip"});
    CHECK(home.mode("acme.zip") == 0600);
    const auto seen = home.json({"inspect", home / "acme.zip"});
    CHECK(data::member(seen, "organisation") ==
          data::Json{{"id", data::member(made, "id")}, {"name", "Acme Ltd"}, {"region", "eu-central"}});
    CHECK(data::member(seen, "tags") == data::Json{{"site", "Berlin 1"}});
    CHECK(data::member(seen, "profiles") == data::Json{"base"});
    CHECK(data::member(seen, "status") == "valid");
    CHECK(data::member(seen, "proxy") == "http://proxy:3128");
    CHECK(seen.dump().find("enrol") == std::string::npos);
    CHECK(data::member(home.json({"verify", home / "acme.zip", "--trust-key", data::string_or(made, "public_key", "")}),
                       "status") == "valid");
    CHECK(
        home.run({"verify", home / "acme.zip", "--trust-key", home / ".config/picket/organisation/acme-ltd.pub"}).ok());
}

TEST_CASE("an organisation is made once") {
    const Home home;
    home.init();
    const std::string key = home.read(".config/picket/organisation/acme-ltd.key");
    check_fails(home.run({"init", "--org", "Acme Ltd", "--region", "us-east"}), 1, "is there already");
    CHECK(home.read(".config/picket/organisation/acme-ltd.key") == key);
    CHECK(home.read(".config/picket/organisation/organisation.json").find("eu-central") != std::string::npos);
}

TEST_CASE("a key with a passphrase signs with it, and not without") {
    const Home home;
    home.write("passphrase", "correct horse\n");
    home.write("wrong", "battery staple\n");
    REQUIRE(home.run({"init", "--org", "Acme", "--region", "eu", "--passphrase-file", home / "passphrase"}).ok());
    CHECK(home.run({"create", "--passphrase-file", home / "passphrase", "-o", home / "a.zip"}).ok());
    check_fails(home.run({"create", "--passphrase-file", home / "wrong", "-o", home / "b.zip"}), 1, "wrong passphrase");
    check_fails(home.run({"create", "-o", home / "b.zip"}), 1, "--passphrase-file");
    CHECK(access((home / "b.zip").c_str(), F_OK) != 0);
    CHECK(home.read(".config/picket/organisation/organisation.json").find("horse") == std::string::npos);
}

TEST_CASE("packages that are missing, foreign, damaged or expired say why") {
    const Home home;
    home.init();
    REQUIRE(home.run({"create", "-o", home / "a.zip"}).ok());
    REQUIRE(home.run({"init", "--org", "Other", "--region", "eu", "--directory", home / "other"}).ok());
    check_fails(home.run({"inspect", home / "none.zip"}), 30, "No such file");
    check_fails(home.run({"verify", home / "a.zip", "--trust-key", home / "other/other.pub"}), 31,
                "the trusted key is");
    std::string bytes = home.read("a.zip");
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    home.write("damaged.zip", bytes);
    check_fails(home.run({"inspect", home / "damaged.zip"}), 31, "damaged");
    home.write("text.zip", "this is no zip");
    check_fails(home.run({"inspect", home / "text.zip"}), 31, "not made by Picket");
    CHECK(data::member(home.json({"inspect", home / "none.zip"}, 30), "name") == "onboarding_not_found");
}

TEST_CASE("bad arguments say what would be right, with exit code 2 and nothing written") {
    const Home home;
    home.init();
    struct Row {
        std::vector<std::string> arguments;
        const char* reason;
    };
    home.write("key.pem", "-----BEGIN PRIVATE "
                          "KEY-----\n");
    home.write("list.json", "[1]");
    for (const Row& row :
         {Row{{"--ttl", "never"}, "90d"}, Row{{"--tag", "novalue"}, "KEY=VALUE"},
          Row{{"--tag", "a=1", "--tag", "a=2"}, "twice"},
          Row{{"--proxy", "http://user:secret@proxy:3128"}, "by address"},
          Row{{"--proxy", "http://x/proxy.pac"}, "PAC"}, Row{{"--proxy", "socks5://x:1"}, "plain HTTP"},
          Row{{"--definitions-url", "ftp://x"}, "https"}, Row{{"--ca", home / "none.pem"}, "No such file"},
          Row{{"--ca", home / "key.pem"}, "private key"}, Row{{"--profile", home / "none.yaml"}, "No such file"},
          Row{{"--no-such-option"}, "--no-such-option"}}) {
        std::vector<std::string> arguments{"create", "-o", home / "a.zip"};
        arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
        const auto outcome = home.run(arguments);
        check_fails(outcome, 2, row.reason);
        CHECK(outcome.error_output.find("secret@") == std::string::npos);
    }
    check_fails(home.run({"create", "-o", home / "a.zip", "--profile", home / "list.json"}), 41, "list.json");
    home.write("typo.yaml", "antivirusEngin:\n  enforcementLevel: audit\n");
    check_fails(home.run({"create", "-o", home / "a.zip", "--profile", home / "typo.yaml"}), 41, "antivirusEngine");
    CHECK(access((home / "a.zip").c_str(), F_OK) != 0);
    check_fails(home.run({"init", "--org", "X", "--region", "Europe!", "--directory", home / "x"}), 2, "region");
    check_fails(home.run({"verify", home / "a.zip", "--trust-key", "nonsense"}), 2, "RW");
    check_fails(home.run({"create", "--directory", home / "empty"}), 1, "picket-onboarding init");
}

TEST_CASE("help names every verb and shows examples") {
    const Home home;
    for (const char* verb : {"init", "create", "inspect", "verify"}) {
        CHECK(home.run({"--help"}).output.find(verb) != std::string::npos);
        CHECK(home.run({verb, "--help"}).output.find(std::string("picket-onboarding ") + verb) != std::string::npos);
    }
}

TEST_CASE("definitions publish: a mirror directory, versions that rise, a key that may be replaced") {
    const Home home;
    home.init();
    REQUIRE(mkdir((home / "from").c_str(), 0700) == 0);
    home.write("from/a.ndb", "A:0:*:00\n");
    home.write("from/notes.txt", "not a database");
    const auto publish = [&](std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{"definitions", "publish", home / "mirror", "--from", home / "from"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return home.json(arguments);
    };
    const auto first = publish();
    CHECK(data::member(first, "files") == 1);
    CHECK(data::member(first, "left_out") == data::Json{"notes.txt"});
    for (const char* name :
         {"mirror/keys.json", "mirror/keys.json.minisig", "mirror/manifest.json", "mirror/manifest.json.minisig"})
        CHECK(home.mode(name) == 0644);
    CHECK(home.mode(".config/picket/organisation/definitions-1.key") == 0600);
    const std::string keys = home.read("mirror/keys.json");
    const auto second = publish();
    CHECK(data::integer_or(second, "version", 0) > data::integer_or(first, "version", 0));
    CHECK(home.read("mirror/keys.json") == keys);
    const auto third = publish({"--rotate-key"});
    CHECK(data::member(third, "key_id") != data::member(first, "key_id"));
    CHECK(home.read("mirror/keys.json") != keys);
    CHECK(data::member(publish(), "key_id") == data::member(third, "key_id"));
}

TEST_CASE("definitions publish: what does not work says why, and leaves the mirror as it was") {
    const Home home;
    check_fails(home.run({"definitions", "publish", home / "mirror", "--from", home / "from"}), 1, "organisation.json");
    home.init();
    check_fails(home.run({"definitions", "publish", home / "mirror", "--from", home / "from"}), 2, "from");
    REQUIRE(mkdir((home / "from").c_str(), 0700) == 0);
    check_fails(home.run({"definitions", "publish", home / "mirror", "--from", home / "from"}), 2,
                "no definition file in it");
    home.write("from/a.ndb", "A:0:*:00\n");
    check_fails(home.run({"definitions", "publish", home / "mirror", "--from", home / "from", "--ttl", "soon"}), 2,
                "--ttl soon");
    struct stat status {};
    CHECK(stat((home / "mirror/manifest.json").c_str(), &status) != 0);
}
