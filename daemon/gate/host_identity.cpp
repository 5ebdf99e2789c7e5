#include "host_identity.h"

#include <picket/base/text.h>
#include <picket/model/paths.h>
#include <picket/store/store.h>

namespace picket::daemon {

HostIdentity read_host_identity(const sys::Root& root) {
    HostIdentity identity;
    if (const auto text = root.read(paths::kOnboarding, mebibytes(1)))
        if (const auto document = data::parse_json(*text)) {
            const data::Json& organisation = data::member(*document, "organisation");
            identity.org_id = data::string_or(organisation, "id", "");
            identity.org_name = data::string_or(organisation, "name", "");
            identity.region = data::string_or(organisation, "region", data::string_or(*document, "region", ""));
            identity.onboarded = !identity.org_id.empty();
            identity.definitions_url = data::string_or(data::member(*document, "endpoints"), "definitions", "");
        }
    if (const auto text = root.read(paths::kTags, kibibytes(64)))
        if (auto tags = data::parse_json(*text); tags && tags->is_object())
            identity.tags = std::move(*tags);
    if (const auto text = root.read(paths::kMachineId, kibibytes(1)))
        identity.machine_id = trim(*text);
    return identity;
}

Result<void> ensure_machine_id(const sys::Root& root) {
    if (root.exists(paths::kMachineId))
        return {};
    return root.write_atomically(paths::kMachineId, store::new_id() + store::new_id() + "\n", 0644);
}

} // namespace picket::daemon
