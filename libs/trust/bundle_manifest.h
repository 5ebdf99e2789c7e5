#pragma once
#include <picket/trust/bundle.h>

#include "signed_manifest.h"

/// The bundle's manifest; inside libs/trust and its fuzz target only.
namespace picket::trust {

inline constexpr const char* kBundlePurpose = "picket-bundle";

/// Version and architecture as they may stand in file names: letters, digits, '.', '_', '+', '~', '-', at most 64.
Result<void> check_version(std::string_view version);
std::string bundle_manifest_text(const BundleRequest& request, const crypto::PublicKey& key, const FileRecords& files);
/// Signature first, by whichever of `keys` is named; conflict where none is.
struct BelievedManifest {
    BundleManifest manifest;
    crypto::PublicKey signed_by;
};
Result<BelievedManifest> verify_bundle_manifest(const std::vector<crypto::PublicKey>& keys, std::string_view text,
                                                std::string_view signature);

} // namespace picket::trust
