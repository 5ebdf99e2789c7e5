#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include <picket/base/clock.h>
#include <picket/sys/file.h>

namespace picket::daemon {

/// What picket-definitions noted last (/var/lib/picket/definitions/mirror.json): root's own file.
struct MirrorState {
    std::int64_t last_success = 0; ///< seconds since 1970; 0 = never
    std::int64_t not_before = 0;
    std::uint64_t failures = 0;
    std::string failure_reason;
    std::string failure_message;
    std::string expires; ///< of what came into force from the mirror last; "" = nothing did
    std::string issued;  ///< likewise
    std::string refused_reason;
    std::string refused_message;
    bool held = false;                 ///< what the mirror has is too young for this host
    std::int64_t held_minimum_age = 0; ///< seconds, as the profile said at that look
    std::int64_t held_in_a_row = 0;    ///< seconds since this host saw the first set of those that it was not to take
};
MirrorState read_mirror_state(const sys::Root& root);

/// When to look at the mirror again, in seconds since 1970: an `interval` (a day at most) after the last look, a tenth
/// of it earlier or later. `spread` is 0 to 1 and this host's own, so that a fleet does not come all at once.
/// At once where a set was held for longer than `minimum_age`, which the profile wants now.
std::int64_t next_look(const MirrorState& state, std::int64_t started, std::int64_t now, double spread,
                       std::chrono::seconds interval, std::chrono::seconds minimum_age = std::chrono::seconds(0));

/// The reason and the words for health; nothing where all is well, or where it is too early to say.
struct MirrorIssue {
    std::string name;
    std::string message;
    std::string fix;
};
std::optional<MirrorIssue> issue_of(const MirrorState& state, WallTime now);
/// What is in force is past its date.
bool is_old(const MirrorState& state, WallTime now);

} // namespace picket::daemon
