#include "package_kit.h"

#include <cstdlib>
#include <fstream>

#include <picket/base/scope_exit.h>
#include <picket/sys/process.h>
#include <picket/trust/time_text.h>

using namespace picket;
using namespace picket::trust;
using namespace picket::trust::testing;
using archive::testing::raw_zip;

namespace {

void check_refused(std::string_view bytes, ErrorCode code, std::string_view reason,
                   OpenOptions options = at(test_time())) {
    const auto package = open_bytes(bytes, options);
    CAPTURE(reason);
    REQUIRE_FALSE(package);
    CHECK_MESSAGE(package.error().message().find(reason) != std::string::npos, package.error().message());
    CHECK(package.error().code() == code);
}

} // namespace

TEST_CASE("a package that was built opens with everything that was put in") {
    const std::string bytes = build_onboarding_package(request(), organisation_key()).value();
    const auto opened = open_bytes(bytes, at(test_time()));
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message()));
    const OnboardingPackage& package = *opened;
    CHECK(package.organisation == request().organisation);
    CHECK(package.key == organisation_key().public_key());
    CHECK(package.endpoints == request().endpoints);
    CHECK(package.tags == request().tags);
    CHECK(package.proxy == request().proxy);
    CHECK(package.profiles.at("base") == "{\"antivirusEngine\":{\"enforcementLevel\":\"real_time\"}}\n");
    CHECK(package.issued == test_time());
    CHECK(package.expires == test_time() + std::chrono::hours(24 * 90));
    CHECK(package.enrolment_token.starts_with("picket-enrol-"));
    CHECK(package.document_text.find(package.enrolment_token) == std::string::npos);
    CHECK(key_of_document(package.document).value() == package.key);
    CHECK(
        open_bytes(build_onboarding_package(request(), organisation_key()).value(), at(test_time()))->enrolment_token !=
        package.enrolment_token);
}

TEST_CASE("the first use is told, a trusted or pinned key is not a first use") {
    const std::string bytes = PackageFiles().signed_zip();
    CHECK(open_bytes(bytes, at(test_time()))->first_use);
    CHECK_FALSE(open_bytes(bytes, at(test_time()))->warnings.empty());
    OpenOptions trusted = at(test_time());
    trusted.trusted_key = organisation_key().public_key();
    CHECK_FALSE(open_bytes(bytes, trusted)->first_use);
    CHECK(open_bytes(bytes, trusted)->warnings.empty());
    OpenOptions pinned = at(test_time());
    pinned.pinned_key = organisation_key().public_key();
    CHECK_FALSE(open_bytes(bytes, pinned)->first_use);
    CHECK_FALSE(open_bytes(bytes, pinned)->replaces_org);
}

TEST_CASE("another key than the trusted or pinned one is refused, unless the organisation is replaced") {
    const crypto::PublicKey other = crypto::SecretKey::generate().public_key();
    const std::string bytes = PackageFiles().signed_zip();
    OpenOptions options = at(test_time());
    options.trusted_key = other;
    options.replace_org = true;
    check_refused(bytes, ErrorCode::conflict, "the trusted key is", options);
    options = at(test_time());
    options.pinned_key = other;
    check_refused(bytes, ErrorCode::conflict, "--replace-org", options);
    options.replace_org = true;
    CHECK(open_bytes(bytes, options)->replaces_org);
}

TEST_CASE("a stranger's signature beside the organisation's public key is refused") {
    check_refused(PackageFiles().signed_zip(crypto::SecretKey::generate()), ErrorCode::conflict, "signed with key");
    // The same key id with another key behind it.
    const crypto::SecretKey stranger = crypto::SecretKey::generate();
    PackageFiles files(request(), stranger);
    crypto::PublicKey lie = stranger.public_key();
    lie.point = organisation_key().public_key().point;
    files.content(kPublicKeyName) = lie.to_file_text();
    check_refused(files.signed_zip(stranger), ErrorCode::corrupt, "does not fit");
}

TEST_CASE("time decides: not yet valid, a clock a day behind, expired") {
    const std::string bytes = PackageFiles().signed_zip();
    using std::chrono::hours;
    check_refused(bytes, ErrorCode::invalid_input, "not yet valid", at(test_time() - hours(25)));
    CHECK(open_bytes(bytes, at(test_time() - hours(23))));
    CHECK(open_bytes(bytes, at(test_time() + hours(24 * 90 - 1))));
    check_refused(bytes, ErrorCode::invalid_input, "expired 2027-02-22", at(test_time() + hours(24 * 90)));
    OpenOptions look = at(test_time() + hours(24 * 900));
    look.ignore_time = true;
    CHECK(open_bytes(bytes, look));
}

TEST_CASE("files that the manifest does not know, knows otherwise, or misses are refused") {
    const PackageFiles good;
    const FileRecords listed = good.records();
    PackageFiles files = good;
    files.content("profiles/base.json") = "{\"a\": 2}";
    check_refused(files.signed_zip(listed), ErrorCode::corrupt, "profiles/base.json is not the file that was signed");
    files = good;
    files.entries.push_back({"profiles/more.json", "{}"});
    check_refused(files.signed_zip(listed), ErrorCode::corrupt,
                  "profiles/more.json is in the package, but not in its manifest");
    files = good;
    files.entries.pop_back();
    check_refused(files.signed_zip(listed), ErrorCode::corrupt, "is in the manifest, but not in the package");
}

TEST_CASE("a signature for another purpose is refused") {
    PackageFiles files;
    files.purpose = "picket-bundle";
    check_refused(files.signed_zip(), ErrorCode::invalid_input, "purpose");
    files = PackageFiles();
    files.edit_document([](data::Json& document) { document["purpose"] = "something"; });
    check_refused(files.signed_zip(), ErrorCode::invalid_input, "purpose");
}

TEST_CASE("a document of another key, for other readers, or against the rules is refused though it is signed") {
    struct Row {
        const char* reason;
        void (*edit)(data::Json&);
    };
    for (const Row& row : {
             Row{"another key",
                 [](data::Json& d) {
                     d["keys"][0]["public"] = crypto::SecretKey::generate().public_key().to_base64();
                 }},
             Row{"use a newer Picket", [](data::Json& d) { d["schema"]["min_reader"] = 2; }},
             Row{"make it anew", [](data::Json& d) { d["schema"]["max_reader"] = 0; }},
             Row{"min_reader", [](data::Json& d) { d.erase("schema"); }},
             Row{"UUID", [](data::Json& d) { d["organisation"]["id"] = "../../etc"; }},
             Row{"region", [](data::Json& d) { d["organisation"]["region"] = "EU"; }},
             Row{"must be a string", [](data::Json& d) { d["endpoints"]["console"] = 7; }},
             Row{"https", [](data::Json& d) { d["endpoints"]["console"] = "file:///etc/passwd"; }},
             Row{"proxy", [](data::Json& d) { d["proxy"] = "http://user:secret@proxy:3128"; }},
             Row{"PEM", [](data::Json& d) { d["ca_certificates"] = {"not pem"}; }},
             Row{"tag", [](data::Json& d) { d["tags"]["a b"] = "c"; }},
             Row{"is no time", [](data::Json& d) { d["issued"] = "yesterday"; }},
             Row{"expires before", [](data::Json& d) { d["expires"] = d["issued"]; }},
         }) {
        PackageFiles files;
        files.edit_document(row.edit);
        check_refused(files.signed_zip(), ErrorCode::invalid_input, row.reason);
    }
    PackageFiles files;
    files.edit_document([](data::Json& d) { d["proxy"] = "http://user:secret@proxy:3128"; });
    CHECK(open_bytes(files.signed_zip(), at(test_time())).error().message().find("secret") == std::string::npos);
    files.content(kDocumentName) = "not json";
    check_refused(files.signed_zip(), ErrorCode::invalid_input, "not valid JSON");
}

TEST_CASE("bad profiles and tokens are refused though they are signed") {
    PackageFiles files;
    files.content("profiles/base.json") = "[1]";
    check_refused(files.signed_zip(), ErrorCode::invalid_input, "must be an object");
    files.entries.back().name = "profiles/x/y.json";
    check_refused(files.signed_zip(), ErrorCode::invalid_input, "a name is");
    files = PackageFiles();
    files.content(kTokenName) = "two words";
    check_refused(files.signed_zip(), ErrorCode::invalid_input, "one word");
}

TEST_CASE("hostile archives are refused even when they are sealed") {
    using archive::testing::RawEntry;
    check_refused(sealed(raw_zip({{"a", "1"}, {"a", "2"}})), ErrorCode::invalid_input, "twice");
    check_refused(sealed(raw_zip({{"../a", "1"}})), ErrorCode::invalid_input, "plain relative path");
    check_refused(sealed(raw_zip({{"/a", "1"}})), ErrorCode::invalid_input, "plain relative path");
    check_refused(sealed(raw_zip({{"a", "/etc/shadow", 0120777}})), ErrorCode::invalid_input, "link");
    const RawEntry bomb{"zeros", archive::testing::deflated_zeros(10'000'000'000), 0100644, 8, 0xffff'fffe};
    check_refused(sealed(raw_zip({bomb})), ErrorCode::exhausted, "unpacks to more than");
    check_refused(sealed(raw_zip({{"a", "1"}})), ErrorCode::invalid_input, "no onboarding package");
    std::vector<RawEntry> many;
    for (int i = 0; i < 20'000; ++i)
        many.push_back({std::to_string(i), ""});
    check_refused(sealed(raw_zip(many)), ErrorCode::exhausted, "more than 256 entries");
    check_refused(std::string(90'000'000, 'P'), ErrorCode::exhausted,
                  "larger than 16.0 MiB"); // a million entries need that much
}

TEST_CASE("what is no package is refused") {
    for (const std::string_view bytes :
         {std::string_view(""), std::string_view("PK"),
          std::string_view("not a zip, but some text that is longer than a seal: "
                           "0123456789012345678901234567890123456789012345678901234567890123456789")})
        check_refused(bytes, ErrorCode::corrupt, "not made by Picket");
    CHECK(open_onboarding_package(std::string("/nowhere/package.zip"), at(test_time())).error().code() ==
          ErrorCode::not_found);
    CHECK(open_onboarding_package(std::string("/tmp"), at(test_time())).error().code() == ErrorCode::invalid_input);
    CHECK(open_onboarding_package(std::string("/dev/zero"), at(test_time())).error().code() ==
          ErrorCode::invalid_input);
}

TEST_CASE("a package cut at any place, or with any byte changed, is refused") {
    const std::string bytes = build_onboarding_package(request(), organisation_key()).value();
    const UniqueFd file = sys::memory_file(bytes).value();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char flipped = static_cast<char>(bytes[i] ^ (1 << (i % 8)));
        REQUIRE(pwrite(file.get(), &flipped, 1, static_cast<off_t>(i)) == 1);
        const auto package = open_onboarding_package(file.get(), at(test_time()));
        if (package || package.error().code() != ErrorCode::corrupt)
            FAIL_CHECK("accepted with byte " << i << " changed");
        REQUIRE(pwrite(file.get(), &bytes[i], 1, static_cast<off_t>(i)) == 1);
    }
    CHECK(open_onboarding_package(file.get(), at(test_time())));
    for (std::size_t size = 0; size < bytes.size(); size += 7)
        CHECK_FALSE(open_bytes(std::string_view(bytes).substr(0, size), at(test_time())));
    CHECK_FALSE(open_bytes(bytes + "x", at(test_time())));
}

TEST_CASE("without the seal a changed byte still never changes what is believed") {
    const PackageFiles files;
    const std::string bytes = files.signed_zip();
    const std::string body = bytes.substr(0, bytes.size() - 87);
    const auto good = open_bytes(bytes, at(test_time()));
    REQUIRE(good);
    for (std::size_t i = 0; i < body.size(); i += 23) { // each costs a process
        std::string changed = body;
        changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
        changed.replace(changed.size() - 2, 2, 2, '\0');
        const auto package = open_bytes(sealed(changed), at(test_time()));
        if (package && (package->document_text != good->document_text || package->profiles != good->profiles ||
                        package->enrolment_token != good->enrolment_token || package->key != good->key))
            FAIL_CHECK("another content was believed with byte " << i << " changed");
    }
}

TEST_CASE("a request against the rules builds nothing") {
    OnboardingRequest bad = request();
    bad.proxy = "http://proxy/proxy.pac";
    CHECK(build_onboarding_package(bad, organisation_key()).error().message().find("PAC") != std::string::npos);
    bad = request();
    bad.profiles["../up"] = data::Json::object();
    CHECK_FALSE(build_onboarding_package(bad, organisation_key()));
    bad = request();
    bad.profiles["list"] = data::Json::array();
    CHECK_FALSE(build_onboarding_package(bad, organisation_key()));
    bad = request();
    bad.lifetime = std::chrono::seconds(0);
    CHECK_FALSE(build_onboarding_package(bad, organisation_key()));
}

TEST_CASE("the manifest's signature verifies with minisign(1)") {
    if (access("/usr/bin/minisign", X_OK) != 0) {
        MESSAGE("SKIPPED: minisign(1) is not installed");
        return;
    }
    std::string directory = "/tmp/picket-trust-XXXXXX";
    REQUIRE(mkdtemp(directory.data()) != nullptr);
    ScopeExit cleanup([&] {
        for (const char* name : {kManifestName, kSignatureName, kPublicKeyName})
            unlink((directory + "/" + name).c_str());
        rmdir(directory.c_str());
    });
    const UniqueFd file = sys::memory_file(build_onboarding_package(request(), organisation_key()).value()).value();
    const auto entries = archive::read_into_memory(file.get(), archive::Format::zip, {});
    REQUIRE(entries);
    for (const archive::Entry& entry : *entries)
        if (entry.name == kManifestName || entry.name == kSignatureName || entry.name == kPublicKeyName)
            std::ofstream(directory + "/" + entry.name, std::ios::binary) << entry.content;
    const auto verified =
        sys::run({"minisign", "-V", "-p", directory + "/" + kPublicKeyName, "-m", directory + "/" + kManifestName})
            .value();
    CHECK_MESSAGE(verified.ok(), verified.error_output);
}
