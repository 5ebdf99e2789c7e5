#pragma once
#include <functional>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <picket/archive/testing/raw_archive.h>
#include <picket/archive/writer.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/digest.h>
#include <picket/sys/file.h>
#include <picket/trust/onboarding.h>

#include "onboarding_document.h"
#include "signed_manifest.h"

/// Onboarding packages of every kind, good and bad, for the tests.
namespace picket::trust::testing {

/// 2026-11-24T00:00:00Z
inline WallTime test_time() {
    return WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24));
}

inline const crypto::SecretKey& organisation_key() {
    static const crypto::SecretKey kKey = crypto::SecretKey::generate();
    return kKey;
}

inline OnboardingRequest request() {
    OnboardingRequest request;
    request.organisation = {"6f1c3a52-93d0-4c35-8a3e-0b1f6f0f8a11", "Acme & Söhne", "eu-central"};
    request.issued = test_time();
    request.endpoints = {{"definitions", "https://definitions.example.org/picket"}};
    request.tags = {{"site", "Berlin 1"}};
    request.proxy = "http://proxy.example.org:3128";
    request.profiles = {{"base", {{"antivirusEngine", {{"enforcementLevel", "real_time"}}}}}};
    return request;
}

inline std::string sealed(const std::string& bytes, archive::Format format = archive::Format::zip) {
    const UniqueFd file = sys::memory_file(bytes).value();
    REQUIRE(append_seal(file.get(), format));
    REQUIRE(lseek(file.get(), 0, SEEK_SET) == 0);
    return sys::read_all(file.get(), gibibytes(1)).value();
}

/// The files of a good package; a test changes what it wants, before or after the signing.
struct PackageFiles {
    std::vector<archive::testing::RawEntry> entries; ///< without manifest and signature
    std::string purpose = kOnboardingPurpose;

    explicit PackageFiles(const OnboardingRequest& from = request(),
                          const crypto::SecretKey& key = organisation_key()) {
        entries = {{kDocumentName, data::to_pretty_text(make_document(from, key.public_key()).value())},
                   {kPublicKeyName, key.public_key().to_file_text()},
                   {kTokenName, "picket-enrol-test\n"},
                   {"profiles/base.json", "{\"a\": 1}"}};
    }
    std::string& content(const std::string& name) {
        for (auto& entry : entries)
            if (entry.name == name)
                return entry.content;
        FAIL("no such entry: " << name);
        return entries[0].content;
    }
    void edit_document(const std::function<void(data::Json&)>& edit) {
        data::Json document = data::parse_json(content(kDocumentName)).value();
        edit(document);
        content(kDocumentName) = data::to_pretty_text(document);
    }
    FileRecords records() const {
        FileRecords records;
        for (const auto& entry : entries)
            records[entry.name] = {crypto::sha256_hex(entry.content), entry.content.size()};
        return records;
    }
    /// Signed and sealed as a hostile member of the organisation could do it.
    std::string signed_zip(const crypto::SecretKey& key = organisation_key()) const {
        return signed_zip(records(), key);
    }
    std::string signed_zip(const FileRecords& listed, const crypto::SecretKey& key = organisation_key()) const {
        const std::string manifest = manifest_text(data::Json::object(), purpose, key.public_key(), listed);
        std::vector<archive::testing::RawEntry> all{{kManifestName, manifest},
                                                    {kSignatureName, key.sign(as_bytes(manifest), "test").value()}};
        all.insert(all.end(), entries.begin(), entries.end());
        return sealed(archive::testing::raw_zip(all));
    }
};

inline Result<OnboardingPackage> open_bytes(std::string_view bytes, const OpenOptions& options) {
    const UniqueFd file = sys::memory_file(bytes).value();
    return open_onboarding_package(file.get(), options);
}

inline OpenOptions at(WallTime now) {
    OpenOptions options;
    options.now = now;
    return options;
}

} // namespace picket::trust::testing
