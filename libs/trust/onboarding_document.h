#pragma once
#include <picket/trust/onboarding.h>

/// onboarding.json: written and read in one place; inside libs/trust only.
namespace picket::trust {

inline constexpr const char* kOnboardingPurpose = "picket-onboarding";
inline constexpr const char* kDocumentName = "onboarding.json";
inline constexpr const char* kPublicKeyName = "organisation.pub";
inline constexpr const char* kTokenName = "enrolment.token";
inline constexpr const char* kReadmeName = "README.txt";
inline constexpr const char* kProfilePrefix = "profiles/";
inline constexpr const char* kJsonSuffix = ".json";

/// Everything in it is held to the rules of rules.h.
Result<data::Json> make_document(const OnboardingRequest& request, const crypto::PublicKey& key);
/// Fills the fields that stand in the document; `key` is the one that signed.
Result<OnboardingPackage> parse_document(const std::string& text, const crypto::PublicKey& key);

} // namespace picket::trust
