#pragma once
#include <string>

#include <picket/data/json.h>
#include <picket/sys/file.h>

namespace picket::daemon {

/// Who this host belongs to, as the installer wrote it (/etc/picket/onboarding.json, tags.json).
struct HostIdentity {
    bool onboarded = false;
    std::string org_id;
    std::string org_name;
    std::string region;
    std::string machine_id;
    std::string definitions_url; ///< "" = the organisation names no mirror
    data::Json tags = data::Json::object();
};
HostIdentity read_host_identity(const sys::Root& root);

/// Makes /var/lib/picket/machine-id where there is none: random, never the hardware's or the image's.
Result<void> ensure_machine_id(const sys::Root& root);

} // namespace picket::daemon
