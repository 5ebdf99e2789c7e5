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
};
MirrorState read_mirror_state(const sys::Root& root);

/// When to look at the mirror again, in seconds since 1970: an `interval` (a day at most) after the last look, a tenth
/// of it earlier or later. `spread` is 0 to 1 and this host's own, so that a fleet does not come all at once.
std::int64_t next_look(const MirrorState& state, std::int64_t started, std::int64_t now, double spread,
                       std::chrono::seconds interval);

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
