#include <picket/trust/definition_set.h>

#include <doctest/doctest.h>

using namespace picket;
using namespace picket::trust;

namespace {

const crypto::SecretKey kOrganisation = crypto::SecretKey::generate();
const crypto::SecretKey kSigner = crypto::SecretKey::generate();
const WallTime kNow{std::chrono::seconds(1'800'000'000)};

DefinitionSet set() {
    return {.version = 7,
            .issued = kNow,
            .expires = kNow + std::chrono::hours(24),
            .files = {{"a.ndb", std::string(64, '0'), Bytes{12}}, {"b.hdb", std::string(64, 'f'), Bytes{0}}}};
}

} // namespace

TEST_CASE("a set and a list of keys come back as they were signed") {
    const SignedText text = sign_definition_set(set(), kSigner).value();
    const auto believed =
        verify_definition_set({kOrganisation.public_key(), kSigner.public_key()}, text.text, text.signature);
    REQUIRE(believed);
    CHECK(believed->signed_by == kSigner.public_key());
    CHECK(believed->set.version == 7);
    CHECK(believed->set.issued == kNow);
    CHECK(believed->set.expires == kNow + std::chrono::hours(24));
    CHECK(believed->set.files == set().files);
    const SignedText list =
        sign_key_list({.version = 2, .issued = kNow, .expires = kNow, .keys = {kSigner.public_key()}}, kOrganisation)
            .value();
    const auto keys = verify_key_list(kOrganisation.public_key(), list.text, list.signature);
    REQUIRE(keys);
    CHECK(keys->version == 2);
    CHECK(keys->keys == std::vector{kSigner.public_key()});
}

TEST_CASE("what was signed for one purpose serves no other") {
    const SignedText list =
        sign_key_list({.version = 2, .issued = kNow, .expires = kNow, .keys = {kSigner.public_key()}}, kSigner).value();
    const auto as_set = verify_definition_set({kSigner.public_key()}, list.text, list.signature);
    REQUIRE_FALSE(as_set);
    CHECK(as_set.error().code() == ErrorCode::invalid_input);
    const SignedText text = sign_definition_set(set(), kOrganisation).value();
    CHECK_FALSE(verify_key_list(kOrganisation.public_key(), text.text, text.signature));
}

TEST_CASE("other keys are conflict, changed bytes are corrupt") {
    SignedText text = sign_definition_set(set(), kSigner).value();
    CHECK(verify_definition_set({kOrganisation.public_key()}, text.text, text.signature).error().code() ==
          ErrorCode::conflict);
    CHECK(verify_definition_set({}, text.text, text.signature).error().code() == ErrorCode::conflict);
    for (std::size_t i = 0; i < text.text.size(); ++i) {
        std::string changed = text.text;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        REQUIRE(verify_definition_set({kSigner.public_key()}, changed, text.signature).error().code() ==
                ErrorCode::corrupt);
    }
}

TEST_CASE("a set without files, twice the same name, or more than is allowed is none") {
    DefinitionSet wrong = set();
    wrong.files.clear();
    const SignedText text = sign_definition_set(wrong, kSigner).value();
    CHECK_FALSE(verify_definition_set({kSigner.public_key()}, text.text, text.signature));
    wrong.files = {set().files[0], set().files[0]};
    CHECK_FALSE(sign_definition_set(wrong, kSigner));
    wrong.files.clear();
    for (int i = 0; i < 257; ++i)
        wrong.files.push_back({std::to_string(i) + ".ndb", std::string(64, '0'), Bytes{1}});
    const SignedText many = sign_definition_set(wrong, kSigner).value();
    CHECK_FALSE(verify_definition_set({kSigner.public_key()}, many.text, many.signature));
}
