#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <picket/release_keys/release_keys.h>
#include <picket/sys/file.h>
#include <picket/sys/process.h>

using namespace picket;

namespace {

class Scratch {
  public:
    Scratch() { REQUIRE(mkdtemp(path_.data()) != nullptr); }
    ~Scratch() { CHECK(sys::run({"rm", "-r", "--", path_}).value().ok()); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    void write(const std::string& name, std::string_view content) const {
        std::ofstream(*this / name, std::ios::binary) << content;
    }
    std::string read(const std::string& name) const { return sys::read_kernel_file(*this / name).value(); }
    sys::RunOutcome run(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), PICKET_PROGRAM);
        sys::RunOptions options;
        options.environment = {{"HOME", path_}, {"SOURCE_DATE_EPOCH", "1795478400"}}; // 2026-11-24
        return sys::run(arguments, options).value();
    }
    sys::RunOutcome make(const std::vector<std::string>& more = {}) const {
        std::vector<std::string> arguments{"make",
                                           "--version",
                                           "0.1.0",
                                           "--architecture",
                                           "x86_64",
                                           "--key-directory",
                                           *this / "keys",
                                           "--installer",
                                           *this / "picket-installer",
                                           "--file",
                                           "definitions/a.ndb=" + (*this / "a.ndb"),
                                           "--expires",
                                           "2199-01-01",
                                           "--output",
                                           *this / "bundle.tar.gz"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run(arguments);
    }

  private:
    std::string path_ = "/tmp/picket-bundle-XXXXXX";
};

} // namespace

TEST_CASE("keys are made once, outside of the tree, and written as a header") {
    const Scratch scratch;
    REQUIRE(scratch.run({"keys", "--header", scratch / "generated/keys.h"}).ok());
    const std::string directory = ".local/share/picket/release-keys/";
    const std::string key = scratch.read(directory + "release-1.key");
    struct stat status {};
    REQUIRE(stat((scratch / (directory + "release-2.key")).c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    const std::string header = scratch.read("generated/keys.h");
    for (const char* name : {"release-1.pub", "release-2.pub"})
        CHECK(header.find(crypto::PublicKey::parse(scratch.read(directory + name)).value().to_base64()) !=
              std::string::npos);
    REQUIRE(scratch.run({"keys", "--header", scratch / "generated/keys.h"}).ok());
    CHECK(scratch.read(directory + "release-1.key") == key);
    CHECK(scratch.read("generated/keys.h") == header);
}

TEST_CASE("two release keys are compiled in") {
    CHECK(release_public_keys().size() == 2);
    CHECK_FALSE(release_public_keys()[0] == release_public_keys()[1]);
}

TEST_CASE("a bundle is made, verified, and refused when changed") {
    const Scratch scratch;
    scratch.write("picket-installer", "#!/bin/true\n");
    scratch.write("a.ndb", "a definition\n");
    const auto made = scratch.make();
    REQUIRE_MESSAGE(made.ok(), made.error_output);
    const std::string key = scratch / "keys/release-1.pub";
    const auto verified = scratch.run({"verify", scratch / "bundle.tar.gz", "--trust-key", key});
    CHECK_MESSAGE(verified.ok(), verified.error_output);
    CHECK(verified.output.find("2026-11-24") != std::string::npos);
    CHECK(crypto::verify_signature(crypto::PublicKey::parse(scratch.read("keys/release-1.pub")).value(),
                                   as_bytes("#!/bin/true\n"), scratch.read("picket-installer.minisig"))
              .value() == "picket-installer 0.1.0 x86_64");
    const auto listed = sys::run({"tar", "tzf", scratch / "bundle.tar.gz"}).value();
    CHECK(listed.output == "picket-installer\nmanifest.json\nmanifest.json.minisig\ndefinitions/a.ndb\n");
    CHECK(
        scratch.run({"verify", scratch / "bundle.tar.gz", "--trust-key", scratch / "keys/release-2.pub"}).exit_status ==
        28);
    const std::string first = scratch.read("bundle.tar.gz");
    REQUIRE(scratch.make().ok());
    CHECK(scratch.read("bundle.tar.gz") == first);
    std::string changed = first;
    changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 4);
    scratch.write("bundle.tar.gz", changed);
    CHECK(scratch.run({"verify", scratch / "bundle.tar.gz", "--trust-key", key}).exit_status == 28);
}

TEST_CASE("bad arguments are told, and leave no bundle") {
    const Scratch scratch;
    scratch.write("picket-installer", "x");
    scratch.write("a.ndb", "x");
    CHECK(scratch.make({"--file", "novalue"}).error_output.find("NAME=PATH") != std::string::npos);
    CHECK(scratch.make({"--file", "../x=" + (scratch / "a.ndb")}).exit_status == 2);
    CHECK(scratch.make({"--file", "b=/nowhere"}).exit_status == 2);
    CHECK(scratch.run({"make"}).exit_status == 2);
    CHECK(access((scratch / "bundle.tar.gz").c_str(), F_OK) != 0);
}
