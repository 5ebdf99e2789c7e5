#pragma once
#include <initializer_list>

namespace picket::sys {

/// Call it first in main() of a program that people start: who starts it may be somebody else's script. What a program
/// takes over from its caller is made harmless:
/// - of the environment TERM, COLUMNS, NO_COLOR and `kept` stay, the rest goes: libraries read it too (OPENSSL_CONF
/// names
///   code to load, TZ a file);
/// - 0, 1 and 2 are open: what is closed would become the first file that is opened, and get our messages;
/// - the soft limits on files and time are what the work needs, core dumps are off;
/// - no signal is blocked, SIGCHLD is not ignored (waitpid would find nobody), no alarm is pending.
/// What the loader does before main() (LD_PRELOAD) is beyond it; no program that we start inherits that.
void start_clean(std::initializer_list<const char*> kept = {});

} // namespace picket::sys
