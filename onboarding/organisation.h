#pragma once
#include <optional>
#include <string>

#include <picket/base/result.h>
#include <picket/crypto/minisign.h>
#include <picket/trust/onboarding.h>

namespace picket::onboarding {

/// A directory of mode 0700 with organisation.json, NAME.key (0600) and NAME.pub.
struct OrganisationDirectory {
    std::string path;
    trust::Organisation organisation;
    std::string key_path;
    std::string public_key_path;
    crypto::PublicKey public_key;
};

/// --directory, else $XDG_CONFIG_HOME/picket/organisation, else ~/.config/picket/organisation.
Result<std::string> organisation_path(const std::string& given);
/// "Acme & Söhne" → "acme-s-hne": a file name.
std::string file_name_of(const std::string& organisation_name);

/// conflict where one is there already: nothing is ever overwritten.
Result<OrganisationDirectory> make_organisation(const std::string& path, const trust::Organisation& organisation,
                                                std::optional<std::string_view> passphrase);
/// not_found where none was made.
Result<OrganisationDirectory> load_organisation(const std::string& path);
/// Its secret key; the passphrase, where there is one, comes from the file or from the terminal.
Result<crypto::SecretKey> unlock(const OrganisationDirectory& directory, const std::string& passphrase_file);

} // namespace picket::onboarding
