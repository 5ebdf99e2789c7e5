#pragma once
#include <optional>
#include <string>

#include <picket/trust/definition_set.h>

#include "organisation.h"

namespace picket::onboarding {

/// The key that signs an organisation's definitions, and the list that says so, beside the organisation's own key:
/// definitions-N.key, definitions-N.pub, definitions-keys.json(.minisig), and definitions.json, which counts.
class DefinitionsSigner {
  public:
    struct Options {
        bool rotate = false;         ///< begin a new key
        std::string passphrase_file; ///< of the organisation's key, where that is needed
    };
    /// Makes or renews what is missing or due.
    static Result<DefinitionsSigner> open(const OrganisationDirectory& organisation, const Options& options,
                                          WallTime now);

    /// The version is counted on disk before anything is signed: none is used twice.
    Result<trust::SignedText> sign(trust::DefinitionSet set);
    const trust::SignedText& key_list() const { return key_list_; }
    const crypto::PublicKey& public_key() const { return public_key_; }
    std::uint64_t set_version() const { return set_version_; }

  private:
    DefinitionsSigner(std::string directory, crypto::SecretKey key)
        : directory_(std::move(directory)), key_(std::move(key)), public_key_(key_.public_key()) {}
    Result<void> renew_key_list(const OrganisationDirectory& organisation, const Options& options, WallTime now);
    Result<void> save() const;

    std::string directory_;
    crypto::SecretKey key_;
    crypto::PublicKey public_key_;
    std::uint64_t key_number_ = 0;
    std::uint64_t key_list_version_ = 0;
    std::uint64_t set_version_ = 0;
    trust::SignedText key_list_;
};

} // namespace picket::onboarding
