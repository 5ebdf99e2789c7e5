#pragma once
#include <string>
#include <string_view>

#include <picket/base/result.h>
#include <picket/profile/effective.h>

/// Changes of /var/lib/picket/settings.json. Each is written atomically, under a lock between processes, and gives
/// whether it changed anything: what is in force already, from whatever layer, is no change. Errors:
///   invalid_input  an unknown name, or a value that does not fit; the message says what would
///   permission     a managed profile holds it; the message names the file (the control verb answers `managed`)
///   corrupt        settings.json is damaged; it is left as it is
///   unavailable    someone else holds the lock
/// The caller loads the profile afterwards.
namespace picket::profile {

/// `name` as `picket config` has it (x-picket-setting of the schema, and the two derived names
/// real-time-protection and passive-mode); `value` as typed.
Result<bool> set_setting(const sys::Root& root, std::string_view name, std::string_view value);

/// What is said about an exclusion; each may be empty.
struct NewExclusionNotes {
    std::string reason;
    std::string owner;
    std::string expires; ///< 2027-03-31 (to the end of that day), 2027-03-31T12:00:00Z, or from now: 90d, 12h, 30m
};
/// `type`: file, folder, extension, name, process. Refuses what would cover the system, and an end that is over. One
/// that is there gets these notes, where there are any; one that has expired counts again.
Result<bool> add_exclusion(const sys::Root& root, std::string_view type, std::string_view value,
                           const NewExclusionNotes& notes = {}, WallTime now = SystemClock().wall());
Result<bool> remove_exclusion(const sys::Root& root, std::string_view type, std::string_view value);

Result<bool> add_allowed_threat(const sys::Root& root, std::string_view name);
Result<bool> remove_allowed_threat(const sys::Root& root, std::string_view name);

/// `type` and `action` as threatTypeSettings of the schema has them.
Result<bool> set_threat_action(const sys::Root& root, std::string_view type, std::string_view action);

} // namespace picket::profile
