#pragma once

namespace picket::daemon {

/// Puts the calling thread under a filter that knows the calls the gate's loop needs and no other: it cannot open a
/// path, start a program or reach a network. A call outside ends the process (SIGSYS), which releases every held open;
/// the service manager starts it again. Aborts where the filter cannot be put in place on a kernel that has filters.
void confine_gate_thread();

/// Likewise a keeper (picket/watch/keeper.h), which may also open files to look at them (O_PATH).
void confine_keeper();

} // namespace picket::daemon
