#pragma once
#include <map>
#include <string>

#include <picket/trust/onboarding.h>

namespace picket::trust {

using Contents = std::map<std::string, std::string>;

/// Verifies and checks what came out of the archive; inside libs/trust and its fuzz target only.
Result<OnboardingPackage> open_contents(const Contents& contents, const OpenOptions& options);

} // namespace picket::trust
