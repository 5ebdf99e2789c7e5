#include "package_kit.h"

#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>

#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/trust/bundle.h>

#include "bundle_manifest.h"

using namespace picket;
using namespace picket::trust;
using namespace picket::trust::testing;
using archive::testing::raw_gzip;
using archive::testing::raw_tar;
using archive::testing::RawEntry;

namespace {

const crypto::SecretKey& release_key() {
    static const crypto::SecretKey kKey = crypto::SecretKey::generate();
    return kKey;
}

BundleRequest bundle_request() {
    BundleRequest request;
    request.version = "0.1.0";
    request.architecture = "x86_64";
    request.build_date = test_time();
    request.expires = test_time() + std::chrono::hours(24 * 270);
    request.next_release_key = organisation_key().public_key();
    return request;
}

std::string built_bundle(const std::string& installer = "#!/bin/true\n") {
    const UniqueFd program = sys::memory_file(installer).value();
    const UniqueFd package = sys::memory_file("a package").value();
    const UniqueFd definitions = sys::memory_file(std::string(100'000, 'd')).value();
    BundleRequest request = bundle_request();
    request.installer_fd = program.get();
    request.files = {{"picket_0.1.0_amd64.deb", package.get()}, {"definitions/eicar.ndb", definitions.get()}};
    const UniqueFd output = sys::memory_file("").value();
    REQUIRE(build_bundle(request, release_key(), output.get()));
    REQUIRE(lseek(output.get(), 0, SEEK_SET) == 0);
    return sys::read_all(output.get(), mebibytes(16)).value();
}

BundleOptions bundle_options(WallTime now = test_time()) {
    BundleOptions options;
    options.trusted_keys = {crypto::SecretKey::generate().public_key(), release_key().public_key()};
    options.now = now;
    return options;
}

/// A private directory that must be empty, or hold what the test names, when the test ends.
struct Target {
    std::string path = "/tmp/picket-bundle-test-XXXXXX";
    UniqueFd fd;
    Target() {
        REQUIRE(mkdtemp(path.data()) != nullptr);
        fd = UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    ~Target() {
        for (const char* name : {"picket-installer", "picket_0.1.0_amd64.deb", "definitions/eicar.ndb"})
            unlinkat(fd.get(), name, 0);
        unlinkat(fd.get(), "definitions", AT_REMOVEDIR);
        CHECK_MESSAGE(rmdir(path.c_str()) == 0, "something was left behind in " << path);
    }
    std::vector<std::string> names() const {
        const sys::Root root = sys::Root::open(path).value();
        return root.list("/").value();
    }
    std::string read(const std::string& name) const { return sys::read_kernel_file(path + "/" + name).value(); }
};

Result<OpenedBundle> extract_bytes(std::string_view bytes, const BundleOptions& options, const Target& target) {
    const UniqueFd file = sys::memory_file(bytes).value();
    return extract_bundle(file.get(), options, target.fd.get());
}

void check_refused(std::string_view bytes, ErrorCode code, std::string_view reason,
                   const BundleOptions& options = bundle_options()) {
    const Target target;
    const auto result = extract_bytes(bytes, options, target);
    CAPTURE(reason);
    REQUIRE_FALSE(result);
    CHECK_MESSAGE(result.error().message().find(reason) != std::string::npos, result.error().message());
    CHECK(result.error().code() == code);
    CHECK(target.names().empty());
}

/// A bundle signed as the release key's owner could sign nonsense.
std::string signed_bundle(std::vector<RawEntry> entries, const FileRecords& listed,
                          const crypto::SecretKey& key = release_key()) {
    const std::string manifest = bundle_manifest_text(bundle_request(), key.public_key(), listed);
    entries.insert(entries.begin() + 1,
                   {{kManifestName, manifest}, {kSignatureName, key.sign(as_bytes(manifest), "test").value()}});
    return sealed(raw_gzip(raw_tar(entries)), archive::Format::tar_gz);
}

FileRecords records_of(const std::vector<RawEntry>& entries) {
    FileRecords records;
    for (const RawEntry& entry : entries)
        records[entry.name] = {crypto::sha256_hex(entry.content), entry.content.size()};
    return records;
}

} // namespace

TEST_CASE("a bundle that was built lands whole in the directory") {
    const Target target;
    const auto opened = extract_bytes(built_bundle(), bundle_options(), target);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message()));
    CHECK(opened->manifest.version == "0.1.0");
    CHECK(opened->manifest.architecture == "x86_64");
    CHECK(opened->manifest.expires == bundle_request().expires);
    CHECK(opened->manifest.next_release_key == organisation_key().public_key());
    CHECK(opened->manifest.files.size() == 3);
    CHECK(opened->signed_by == release_key().public_key());
    CHECK_FALSE(opened->expired);
    CHECK(target.names() == std::vector<std::string>{"definitions", "picket-installer", "picket_0.1.0_amd64.deb"});
    CHECK(target.read("picket_0.1.0_amd64.deb") == "a package");
    CHECK(target.read("definitions/eicar.ndb") == std::string(100'000, 'd'));
    CHECK(target.read("picket-installer") == "#!/bin/true\n");
    struct stat status {};
    REQUIRE(fstatat(target.fd.get(), "picket-installer", &status, 0) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("verify says the same and needs no directory") {
    const UniqueFd file = sys::memory_file(built_bundle()).value();
    CHECK(verify_bundle(file.get(), bundle_options())->manifest.files.size() == 3);
    CHECK(verify_bundle(std::string("/nowhere/bundle.tar.gz"), bundle_options()).error().code() ==
          ErrorCode::not_found);
}

TEST_CASE("one byte changed anywhere is corrupt, and nothing is left") {
    const std::string bytes = built_bundle();
    REQUIRE(bytes.size() < 4096);
    const UniqueFd file = sys::memory_file(bytes).value();
    const Target target;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char flipped = static_cast<char>(bytes[i] ^ (1 << (i % 8)));
        REQUIRE(pwrite(file.get(), &flipped, 1, static_cast<off_t>(i)) == 1);
        const auto result = extract_bundle(file.get(), bundle_options(), target.fd.get());
        if (result || result.error().code() != ErrorCode::corrupt)
            FAIL_CHECK("accepted with byte " << i << " changed");
        REQUIRE(pwrite(file.get(), &bytes[i], 1, static_cast<off_t>(i)) == 1);
    }
    CHECK(target.names().empty());
    for (std::size_t size = 0; size < bytes.size(); size += 13)
        CHECK_FALSE(extract_bytes(std::string_view(bytes).substr(0, size), bundle_options(), target));
    CHECK(target.names().empty());
}

TEST_CASE("the bundle is an ordinary tar.gz whose first entry is the installer") {
    const UniqueFd file = sys::memory_file(built_bundle()).value();
    const auto entries = archive::read_into_memory(file.get(), archive::Format::tar_gz, {});
    REQUIRE(entries);
    REQUIRE(entries->size() == 5);
    CHECK((*entries)[0].name == "picket-installer");
    CHECK((*entries)[1].name == "manifest.json");
    CHECK((*entries)[2].name == "manifest.json.minisig");
}

TEST_CASE("equal input gives an equal bundle but for the signature's bytes, which are equal too") {
    CHECK(built_bundle() == built_bundle()); // Ed25519 is deterministic
}

TEST_CASE("a key that is not trusted, and an expired bundle, are refused") {
    BundleOptions options = bundle_options();
    options.trusted_keys = {organisation_key().public_key()};
    check_refused(built_bundle(), ErrorCode::conflict, "not a release key", options);
    options.trusted_keys.clear();
    check_refused(built_bundle(), ErrorCode::conflict, "not a release key", options);
    BundleOptions late = bundle_options(bundle_request().expires);
    check_refused(built_bundle(), ErrorCode::invalid_input, "expired 2027-08-21", late);
    late.accept_expired = true;
    const UniqueFd file = sys::memory_file(built_bundle()).value();
    CHECK(verify_bundle(file.get(), late)->expired);
    CHECK_FALSE(verify_bundle(file.get(), bundle_options(test_time() - std::chrono::hours(48)))->warnings.empty());
}

TEST_CASE("what the manifest does not say is refused, and nothing is left") {
    const std::vector<RawEntry> good{{"picket-installer", "i"}, {"a", "one"}};
    const Target target;
    CHECK(extract_bytes(signed_bundle(good, records_of(good)), bundle_options(), target));
    unlinkat(target.fd.get(), "a", 0);
    struct Row {
        const char* reason;
        std::vector<RawEntry> entries;
    };
    for (const Row& row :
         {Row{"a is not the file that was signed", {{"picket-installer", "i"}, {"a", "two"}}},
          Row{"a is not the file that was signed", {{"picket-installer", "i"}, {"a", "longer"}}},
          Row{"picket-installer is not the file that was signed", {{"picket-installer", "x"}, {"a", "one"}}},
          Row{"b is in the bundle, but not in its manifest", {{"picket-installer", "i"}, {"a", "one"}, {"b", "x"}}},
          Row{"a is in the manifest, but not in the bundle", {{"picket-installer", "i"}}}})
        check_refused(signed_bundle(row.entries, records_of(good)), ErrorCode::corrupt, row.reason);
}

TEST_CASE("hostile bundles are refused even when they are sealed and signed") {
    const auto tar = [](const std::vector<RawEntry>& entries) {
        return sealed(raw_gzip(raw_tar(entries)), archive::Format::tar_gz);
    };
    check_refused(tar({{"something", "x"}}), ErrorCode::invalid_input, "picket-installer is expected");
    check_refused(tar({{"picket-installer", "x"}}), ErrorCode::invalid_input, "no signed manifest");
    check_refused(tar({}), ErrorCode::invalid_input, "no signed manifest");
    RawEntry link{"picket-installer", ""};
    link.tar_kind = '2';
    link.link = "/bin/sh";
    check_refused(tar({link}), ErrorCode::invalid_input, "link");
    const std::vector<RawEntry> good{{"picket-installer", "i"}};
    check_refused(signed_bundle({{"picket-installer", "i"}, {"../up", "x"}}, records_of(good)),
                  ErrorCode::invalid_input, "plain relative path");
    check_refused("not a bundle", ErrorCode::corrupt, "not made by Picket");
}

TEST_CASE("a signature of the right key for another purpose is refused") {
    const std::string manifest = manifest_text({{"version", "1"}}, "picket-onboarding", release_key().public_key(), {});
    const std::string bytes =
        sealed(raw_gzip(raw_tar({{"picket-installer", "i"},
                                 {kManifestName, manifest},
                                 {kSignatureName, release_key().sign(as_bytes(manifest), "x").value()}})),
               archive::Format::tar_gz);
    check_refused(bytes, ErrorCode::invalid_input, "purpose");
}

TEST_CASE("a target that others may enter, or that is not empty, is refused and left alone") {
    const Target target;
    REQUIRE(fchmod(target.fd.get(), 0755) == 0);
    CHECK(extract_bytes(built_bundle(), bundle_options(), target).error().code() == ErrorCode::permission);
    REQUIRE(fchmod(target.fd.get(), 0700) == 0);
    const UniqueFd there(openat(target.fd.get(), "picket-installer", O_CREAT | O_WRONLY, 0600));
    CHECK(extract_bytes(built_bundle(), bundle_options(), target).error().code() == ErrorCode::conflict);
    CHECK(target.names() == std::vector<std::string>{"picket-installer"});
}

TEST_CASE("names that do not fit build no bundle") {
    const UniqueFd file = sys::memory_file("x").value();
    BundleRequest request = bundle_request();
    request.installer_fd = file.get();
    const UniqueFd output = sys::memory_file("").value();
    request.files = {{"../up", file.get()}};
    CHECK_FALSE(build_bundle(request, release_key(), output.get()));
    request.files = {{"a", file.get()}, {"a", file.get()}};
    CHECK_FALSE(build_bundle(request, release_key(), output.get()));
    request.files = {{"manifest.json", file.get()}};
    CHECK_FALSE(build_bundle(request, release_key(), output.get()));
    request.files = {};
    request.version = "1 0";
    CHECK_FALSE(build_bundle(request, release_key(), output.get()));
}
