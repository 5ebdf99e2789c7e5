#pragma once

namespace picket::command_line {

/// From here on Ctrl-C, SIGTERM and SIGHUP no longer end the process: the first sets the flag and interrupts a
/// waiting system call; the second ends the process as it would have. For one place in main().
void catch_interrupts();
bool interrupted();

} // namespace picket::command_line
