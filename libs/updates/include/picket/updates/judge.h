#pragma once
#include <picket/trust/definition_set.h>
#include <picket/updates/memory.h>

/// Pure: may what a mirror offers, and what bears a good signature, be believed now?
namespace picket::updates {

/// Time for expiry. A clock that stands before the day that this build was made, or before what was signed already, is
/// wrong: it does not make an old set young.
WallTime judged_now(WallTime clock, const Memory& memory);

/// conflict: older than what was seen before; cancelled: past its date.
Result<void> judge_key_list(const Memory& memory, const trust::KeyList& list, WallTime now);
/// conflict: older than what was seen before, or another one of the same version; cancelled: past its date.
Result<void> judge_set(const Memory& memory, const SetRecord& offered, WallTime now);
/// Taken back or refused by the engine, and nothing newer: why. Nothing where it may be tried.
std::optional<std::string> why_refused(const Memory& memory, const SetRecord& offered);
/// This host looks at `offered` again, `clock` says what time it is: how long it has waited by now.
Held hold_on(const std::optional<Held>& before, const SetRecord& offered, std::chrono::seconds minimum_age,
             const Clock& clock);
/// When it may be taken, at the latest; nothing where that is now. It is old enough by its signed day and the clock, or
/// because this host has waited that long for it: so a day in the future holds it no longer, and is no way past it.
std::optional<WallTime> held_until(const Held& held, WallTime clock);
/// May the accepted set go on counting as the newest, where the mirror says that nothing changed?
bool still_signed(const Memory& memory, const trust::KeyList& list);

} // namespace picket::updates
