#pragma once
#include <picket/base/result.h>
#include <picket/profile/effective.h>

namespace picket::profile {

/// What the daemon had in force when it last said so, kept in /var/lib/picket/profile/in-force.json: what changed while
/// it was not running is seen at its next start. Only document, sources and policy are given back. not_found
/// where there is nothing; corrupt where it does not count (damaged, of another version).
Result<EffectiveProfile> read_in_force(const sys::Root& root);
Result<void> remember_in_force(const sys::Root& root, const EffectiveProfile& profile);

} // namespace picket::profile
