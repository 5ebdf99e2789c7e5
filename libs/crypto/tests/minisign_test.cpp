#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <picket/base/scope_exit.h>
#include <picket/crypto/key_file.h>
#include <picket/crypto/minisign.h>
#include <picket/sys/file.h>
#include <picket/sys/process.h>

using namespace picket;
using namespace picket::crypto;

namespace {

/// A scratch directory that goes with the test.
struct Scratch {
    std::string path = "/tmp/picket-minisign-XXXXXX";
    Scratch() { REQUIRE(mkdtemp(path.data()) != nullptr); }
    ~Scratch() {
        const sys::Root root = sys::Root::open(path).value();
        const std::vector<std::string> names = root.list("/").value();
        for (const std::string& name : names)
            CHECK(root.remove("/" + name));
        rmdir(path.c_str());
    }
    std::string operator/(const std::string& name) const { return path + "/" + name; }
    void write(const std::string& name, std::string_view content) const {
        std::ofstream(*this / name, std::ios::binary) << content;
        REQUIRE(chmod((*this / name).c_str(), 0600) == 0);
    }
    std::string read(const std::string& name) const { return sys::read_kernel_file(*this / name).value(); }
};

bool have_minisign() {
    if (access("/usr/bin/minisign", X_OK) == 0)
        return true;
    MESSAGE("SKIPPED: minisign(1) is not installed; the exchange with it is not tested");
    return false;
}

sys::RunOutcome minisign(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), "minisign");
    sys::RunOptions options;
    options.input = input;
    return sys::run(arguments, options).value();
}

} // namespace

TEST_CASE("what is signed verifies, and no other content, comment or key does") {
    const SecretKey key = SecretKey::generate();
    const std::string signature = key.sign(as_bytes("content"), "for a purpose").value();
    CHECK(verify_signature(key.public_key(), as_bytes("content"), signature).value() == "for a purpose");
    CHECK(verify_signature(key.public_key(), as_bytes("contenT"), signature).error().code() == ErrorCode::corrupt);
    std::string other_comment = signature;
    other_comment.replace(other_comment.find("for a purpose"), 3, "FOR");
    CHECK(verify_signature(key.public_key(), as_bytes("content"), other_comment).error().code() == ErrorCode::corrupt);
    CHECK(verify_signature(SecretKey::generate().public_key(), as_bytes("content"), signature).error().code() ==
          ErrorCode::conflict);
    CHECK(signer_of(signature).value() == key.public_key().id);
    CHECK_FALSE(key.sign(as_bytes("content"), "two\nlines"));
}

TEST_CASE("a changed byte of a signature's signed lines is refused, wherever it is") {
    const SecretKey key = SecretKey::generate();
    const std::string signature = key.sign(as_bytes("x"), "y").value();
    for (std::size_t i = signature.find('\n') + 1; i < signature.size(); ++i) {
        std::string changed = signature;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        CAPTURE(i);
        CHECK_FALSE(verify_signature(key.public_key(), as_bytes("x"), changed));
    }
    for (std::size_t size = 0; size + 1 < signature.size(); ++size)
        CHECK_FALSE(verify_signature(key.public_key(), as_bytes("x"), signature.substr(0, size)));
}

TEST_CASE("keys survive their files, with and without a passphrase") {
    const SecretKey key = SecretKey::generate();
    CHECK(PublicKey::parse(key.public_key().to_file_text()).value() == key.public_key());
    CHECK(PublicKey::parse(" " + key.public_key().to_base64() + "\n").value() == key.public_key());
    CHECK_FALSE(PublicKey::parse("RWQ"));
    CHECK_FALSE(PublicKey::parse(""));

    const Secret plain = key.to_file_text().value();
    CHECK_FALSE(SecretKey::needs_passphrase(plain.text()).value());
    CHECK(SecretKey::parse(plain.text()).value().public_key() == key.public_key());
    const Secret locked = key.to_file_text("correct horse").value();
    CHECK(SecretKey::needs_passphrase(locked.text()).value());
    CHECK(SecretKey::parse(locked.text(), "correct horse").value().public_key() == key.public_key());
    CHECK(SecretKey::parse(locked.text(), "wrong horse").error().message() == "wrong passphrase for the secret key");
    CHECK(SecretKey::parse(locked.text()).error().code() == ErrorCode::permission);
    CHECK(SecretKey::parse("nonsense").error().code() == ErrorCode::invalid_input);
}

TEST_CASE("a secret key file is made once, for its owner alone") {
    const Scratch scratch;
    CHECK(write_new_secret_file(scratch / "k", "first"));
    CHECK(write_new_secret_file(scratch / "k", "second").error().code() == ErrorCode::conflict);
    CHECK(read_secret_file(scratch / "k").value().text() == "first");
    struct stat status {};
    REQUIRE(stat((scratch / "k").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    CHECK(sys::Root::open(scratch.path).value().list("/").value() == std::vector<std::string>{"k"});
    REQUIRE(chmod((scratch / "k").c_str(), 0644) == 0);
    CHECK(read_secret_file(scratch / "k").error().code() == ErrorCode::permission);
    CHECK(read_secret_file(scratch / "none").error().code() == ErrorCode::not_found);
}

TEST_CASE("minisign(1) accepts our keys and signatures") {
    if (!have_minisign())
        return;
    const Scratch scratch;
    const SecretKey key = SecretKey::generate();
    scratch.write("message", "a message");
    scratch.write("ours.pub", key.public_key().to_file_text());
    scratch.write("message.minisig", key.sign(as_bytes("a message"), "trust me").value());
    const auto verified = minisign({"-V", "-p", scratch / "ours.pub", "-m", scratch / "message"});
    CHECK_MESSAGE(verified.ok(), verified.error_output);
    CHECK(verified.output.find("trust me") != std::string::npos);

    scratch.write("ours.key", key.to_file_text("correct horse").value().text());
    const auto made =
        minisign({"-S", "-s", scratch / "ours.key", "-m", scratch / "message", "-t", "by minisign"}, "correct horse\n");
    CHECK_MESSAGE(made.ok(), made.error_output);
    CHECK(verify_signature(key.public_key(), as_bytes("a message"), scratch.read("message.minisig")).value() ==
          "by minisign");

    scratch.write("plain.key", key.to_file_text().value().text());
    const auto unlocked = minisign({"-S", "-s", scratch / "plain.key", "-m", scratch / "message", "-t", "plain"});
    CHECK_MESSAGE(unlocked.ok(), unlocked.error_output);
    CHECK(verify_signature(key.public_key(), as_bytes("a message"), scratch.read("message.minisig")).value() ==
          "plain");
}

TEST_CASE("we accept minisign(1)'s keys and signatures, prehashed and legacy") {
    if (!have_minisign())
        return;
    const Scratch scratch;
    scratch.write("message", "another message");
    const auto generated = minisign({"-G", "-p", scratch / "theirs.pub", "-s", scratch / "theirs.key"}, "pass\npass\n");
    REQUIRE_MESSAGE(generated.ok(), generated.error_output);
    const SecretKey key = SecretKey::parse(scratch.read("theirs.key"), "pass").value();
    CHECK(PublicKey::parse(scratch.read("theirs.pub")).value() == key.public_key());

    const auto plain = minisign({"-G", "-W", "-p", scratch / "plain.pub", "-s", scratch / "plain.key"});
    REQUIRE_MESSAGE(plain.ok(), plain.error_output);
    const SecretKey second = SecretKey::parse(scratch.read("plain.key")).value();
    const auto prehashed = minisign({"-S", "-s", scratch / "plain.key", "-m", scratch / "message", "-t", "new"});
    REQUIRE_MESSAGE(prehashed.ok(), prehashed.error_output);
    CHECK(verify_signature(second.public_key(), as_bytes("another message"), scratch.read("message.minisig")).value() ==
          "new");
    const auto legacy = minisign({"-S", "-l", "-s", scratch / "plain.key", "-m", scratch / "message", "-t", "old"});
    REQUIRE_MESSAGE(legacy.ok(), legacy.error_output);
    CHECK(verify_signature(second.public_key(), as_bytes("another message"), scratch.read("message.minisig")).value() ==
          "old");
}
