#pragma once
#include <string>
#include <vector>

#include <picket/profile/effective.h>

namespace picket::profile {

/// One way in which a new policy protects less than the one before; the reason and message of a protection.weakened
/// event.
struct Weakening {
    std::string kind;    ///< stable, one of the table in docs/operations.md
    std::string message; ///< one sentence, safe to show
    std::string pointer; ///< of the key
    std::string element; ///< of a list that merges: what find_weakenings() needs to know it again
    Source source;       ///< whose word it is; only where profiles are compared
};

/// Empty where `after` protects at least as much as `before`.
std::vector<Weakening> find_weakenings(const Policy& before, const Policy& after);

/// With the source of each: the file that says it now, or the one that no longer says otherwise (the message tells).
std::vector<Weakening> find_weakenings(const EffectiveProfile& before, const EffectiveProfile& after);

} // namespace picket::profile
