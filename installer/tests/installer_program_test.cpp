#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include <picket/base/text.h>
#include <picket/data/json.h>
#include <picket/sys/process.h>

using namespace picket;

namespace {

namespace fs = std::filesystem;

sys::RunOutcome installer(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PICKET_PROGRAM);
    return sys::run(arguments).value();
}
data::Json json_of(const sys::RunOutcome& outcome) {
    return data::parse_json(trim(outcome.output)).value();
}

/// An image that is empty but for what makes it a Debian.
class Image {
  public:
    Image() {
        std::string name = "/tmp/picket-installer-test-XXXXXX";
        path = mkdtemp(name.data());
        for (const char* directory : {"/etc", "/run", "/usr/sbin", "/var/lib/dpkg/info", "/var/lib/dpkg/updates"})
            fs::create_directories(path + directory);
        std::ofstream(path + "/etc/os-release")
            << "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n";
        std::ofstream(path + "/var/lib/dpkg/status");
    }
    ~Image() { fs::remove_all(path); }
    std::string path;
};

} // namespace

TEST_CASE("help names the verbs of this version only, and shows examples") {
    const auto outcome = installer({"--help"});
    CHECK(outcome.exit_status == 0);
    for (const char* verb : {"check", "install", "onboard", "offboard", "status", "uninstall", "selftest",
                             "prepare-image", "upgrade", "rollback", "os-upgrade prepare", "os-upgrade finish",
                             "export ansible", "export puppet", "export profiles", "export repo"})
        CHECK(outcome.output.find(verb) != std::string::npos);
    CHECK(installer({"install", "--help"}).output.find("picket-installer install --onboarding acme.zip") !=
          std::string::npos);
}

TEST_CASE("bad arguments are 2, with a fix, also as JSON") {
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{"instal"},
                                               {"install", "--onbording", "x"},
                                               {"check", "--lock-timeout", "soon"},
                                               {"install", "--tag", "no-equals"},
                                               {"uninstall", "--purge", "--keep-state"},
                                               {"check", "--trust-key", "nonsense"},
                                               {"export", "repo", "/no/such"},
                                               {"check", "--accept", "kernel.versio"},
                                               {"status", "--root", "/no/such/directory"}}) {
        CAPTURE(arguments.back());
        CHECK(installer(arguments).exit_status == 2);
        auto with_json = arguments;
        with_json.insert(with_json.end(), {"--output", "json"});
        const auto outcome = installer(with_json);
        CHECK(outcome.exit_status == 2);
        const auto report = json_of(outcome);
        CHECK(report["error"]["code"] == 2);
        CHECK(report["error"]["name"] == "usage");
        CHECK_FALSE(data::string_or(report["error"], "fix", "").empty());
        CHECK(report["changed"] == false);
    }
}

TEST_CASE("what an error says of a file names it once") {
    const std::string missing = "/nonexistent/acme.zip";
    const std::string rubbish = "/tmp/picket-rubbish-" + std::to_string(getpid()) + ".zip";
    std::ofstream(rubbish) << "PK no zip\n";
    for (const std::string& file : {missing, rubbish})
        for (const std::vector<std::string>& arguments :
             std::vector<std::vector<std::string>>{{"check", "--onboarding", file},
                                                   {"check", "--support-matrix", file},
                                                   {"check", "--config", file},
                                                   {"check", "--trust-key", file},
                                                   {"check", "--log-file", file + "/x"},
                                                   {"check", "--root", file}}) {
            const auto outcome = installer(arguments);
            const std::string said = outcome.error_output.substr(0, outcome.error_output.find('\n'));
            INFO(said);
            const auto first = said.find(file);
            CHECK((first == std::string::npos || said.find(file, first + 1) == std::string::npos));
        }
    fs::remove(rubbish);
}

TEST_CASE("check speaks of every check, in text within 80 columns and in JSON") {
    const auto outcome = installer({"check", "--output", "json"});
    const auto report = json_of(outcome);
    CHECK(report["schema"] == 1);
    CHECK(report["verb"] == "check");
    CHECK(report["checks"].size() >= 26);
    for (const data::Json& check : report["checks"])
        for (const char* field : {"id", "status", "observed", "required", "fix"})
            CHECK(check.contains(field));
    const auto text = installer({"check"});
    CHECK(text.exit_status == outcome.exit_status);
    CHECK(text.output.find("\x1b[") == std::string::npos);
    for (const auto line : split(text.output, '\n'))
        CHECK_MESSAGE(line.size() <= 90, line); // bytes: a few of them are of more than one column
}

TEST_CASE("an export names what it leaves as it was changed, and says where it has something newer") {
    const Image image;
    const std::string folder = image.path + "/profiles";
    CHECK(installer({"export", "profiles", folder}).exit_status == 0);
    std::ofstream(folder + "/passive.yaml", std::ios::app) << "# mine\n";
    CHECK(installer({"export", "profiles", folder}).output.find("Kept as you changed it: passive.yaml\n") !=
          std::string::npos);
    // As if it had been another version that wrote it.
    const std::string record = folder + "/.picket-export.json";
    std::stringstream text;
    text << std::ifstream(record).rdbuf();
    auto digests = data::parse_json(text.str()).value();
    digests["files"]["passive.yaml"] = std::string(64, '0');
    std::ofstream(record) << data::to_text(digests);
    CHECK(installer({"export", "profiles", folder})
              .output.find("Kept as you changed it: passive.yaml (there is a newer") != std::string::npos);
}

TEST_CASE("status of an image that holds nothing says so, and changes nothing") {
    const Image image;
    const auto outcome = installer({"status", "--root", image.path, "--output", "json"});
    CHECK(outcome.exit_status == 0);
    const auto report = json_of(outcome);
    CHECK(report["after"]["installed"] == false);
    CHECK(report["after"]["interrupted_run"].is_null());
    CHECK_FALSE(fs::exists(image.path + "/var/lib/picket"));
}

TEST_CASE("a configuration file holds every flag, the command line wins, and a misspelt key is told") {
    const Image image;
    const std::string config = image.path + "/installer.yaml";
    std::ofstream(config) << "output: json\nroot: " << image.path << "\naccept: [memory.total]\ntag: {site: ham}\n";
    const auto outcome = installer({"status", "--config", config});
    CHECK(outcome.exit_status == 0);
    CHECK(json_of(outcome)["verb"] == "status");
    CHECK(installer({"status", "--config", config, "--output", "text"}).output.find("package_status") !=
          std::string::npos);
    std::ofstream(config) << "onbording: x\n";
    const auto wrong = installer({"status", "--config", config});
    CHECK(wrong.exit_status == 2);
    CHECK(wrong.error_output.find("did you mean onboarding?") != std::string::npos);
}

TEST_SUITE("root") {
    TEST_CASE(
        "an onboarding package that is not there is 30, one that is none is 31 or an earlier check, nothing is made") {
        const Image image;
        const auto missing =
            installer({"install", "--root", image.path, "--onboarding", "/no/such.zip", "--output", "json"});
        CHECK(missing.exit_status == 30);
        std::ofstream(image.path + "/not.zip") << "not a zip";
        const auto refused = installer({"install", "--root", image.path, "--onboarding", image.path + "/not.zip",
                                        "--bundle", image.path + "/not.zip", "--output", "json"});
        CHECK(refused.exit_status == 28); // the bundle comes first in the order of the checks
        CHECK_FALSE(fs::exists(image.path + "/etc/picket"));
        CHECK_FALSE(fs::exists(image.path + "/var/lib/picket"));
    }
    TEST_CASE("the log file is private, is appended to, and is no link") {
        const Image image;
        const std::string log = image.path + "/log";
        CHECK(installer({"uninstall", "--root", image.path, "--log-file", log}).exit_status == 0);
        CHECK(installer({"uninstall", "--root", image.path, "--log-file", log}).exit_status == 0);
        std::ifstream file(log);
        const std::string text((std::istreambuf_iterator<char>(file)), {});
        CHECK(split(trim(text), '\n').size() >= 4);
        CHECK((fs::status(log).permissions() & fs::perms::others_all) == fs::perms::none);
        fs::create_symlink(log, image.path + "/link");
        CHECK(installer({"uninstall", "--root", image.path, "--log-file", image.path + "/link"}).exit_status == 2);
    }
    TEST_CASE("a bad profile is 41 with a suggestion") {
        const Image image;
        std::ofstream(image.path + "/bad.yaml") << "antivirusEngine:\n  scanArchive: true\n";
        const auto outcome = installer({"check", "--root", image.path, "--profile", image.path + "/bad.yaml"});
        CHECK(outcome.exit_status == 41);
        CHECK(outcome.error_output.find("scanArchives") != std::string::npos);
    }
    TEST_CASE("uninstall where nothing is installed changes nothing and succeeds") {
        const Image image;
        const auto outcome = installer({"uninstall", "--purge", "--root", image.path, "--output", "json"});
        CHECK(outcome.exit_status == 0);
        CHECK(json_of(outcome)["changed"] == false);
    }
}

TEST_CASE("an ordinary user may not change anything: 3" * doctest::skip(geteuid() == 0)) {
    for (const char* verb : {"install", "offboard", "uninstall", "selftest", "prepare-image"})
        CHECK(installer({verb}).exit_status == 3);
}
