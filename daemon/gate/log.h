#pragma once
#include <string_view>

namespace picket::daemon {

enum class LogLevel { error = 3, warning = 4, info = 6, debug = 7 };
/// The least important level that is written; "info" until it is set. Words as in the profile; others change nothing.
void set_log_level(std::string_view word);

/// One line on standard error with the journal's level prefix; what comes from outside is escaped here. May block when
/// the journal does: never call it on the gate's thread.
void log(LogLevel level, std::string_view text);

/// True where those lines go into the journal (systemd says so in $JOURNAL_STREAM).
bool log_is_journal();

} // namespace picket::daemon
