#include <picket/crypto/random.h>

#include "context.h"
#include "organisation.h"
#include "passphrase.h"

namespace picket::onboarding {
namespace {

Result<std::optional<crypto::Secret>> new_passphrase(const command_line::Invocation& invocation) {
    if (invocation.has("--passphrase-file") && invocation.has("--passphrase"))
        return Error(ErrorCode::invalid_input, "--passphrase-file and --passphrase exclude each other");
    if (invocation.has("--passphrase-file"))
        return std::optional(PICKET_TRY(passphrase_from_file(invocation.get("--passphrase-file"))));
    if (invocation.has("--passphrase"))
        return std::optional(PICKET_TRY(ask_new_passphrase()));
    return std::optional<crypto::Secret>();
}

Result<OrganisationDirectory> make(const command_line::Invocation& invocation) {
    const std::string path = PICKET_TRY(organisation_path(invocation.get("--directory")));
    const auto passphrase = PICKET_TRY(new_passphrase(invocation));
    const trust::Organisation organisation{crypto::random_uuid(), invocation.get("--org"), invocation.get("--region")};
    return make_organisation(path, organisation, passphrase ? std::optional(passphrase->text()) : std::nullopt);
}

} // namespace

int run_init(const Context& context) {
    const auto made = make(context.invocation);
    if (!made)
        return fail(context, made.error());
    return show(context, "organisation",
                {{"organisation", made->organisation.name},
                 {"id", made->organisation.id},
                 {"region", made->organisation.region},
                 {"key_id", crypto::to_text(made->public_key.id)},
                 {"public_key", made->public_key.to_base64()},
                 {"secret_key_file", made->key_path},
                 {"public_key_file", made->public_key_path}},
                {"organisation", "id", "region", "key_id", "public_key", "secret_key_file", "public_key_file"});
}

} // namespace picket::onboarding
