#pragma once
#include <optional>
#include <string>

#include <picket/base/result.h>
#include <picket/data/json.h>
#include <picket/profile/effective.h>

/// The results of the control verbs of docs/control-protocol.md. A `source` is "default", "local" or the managed file.
namespace picket::profile {

/// config.show: {settings: [{name, value, default, source, managed}]}. An unknown name is invalid_input.
Result<data::Json> config_show_json(const EffectiveProfile& profile, const std::optional<std::string>& name = {});
/// exclusion.list: {exclusions: [{type, value, status, reason, owner, expires, source}]}; status is in_force or
/// expired, expires the first moment at which it does not count, or null
data::Json exclusion_list_json(const EffectiveProfile& profile);
/// threat.allowed.*: {allowed_threats: [{name, source}]}
data::Json allowed_threats_json(const EffectiveProfile& profile);
/// threat.policy.*: {threat_policy: [{type, action, source}]}
data::Json threat_policy_json(const EffectiveProfile& profile);
/// profile.show: {document, sources, problems, generation}
data::Json profile_show_json(const EffectiveProfile& profile);

} // namespace picket::profile
