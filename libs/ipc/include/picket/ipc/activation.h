#pragma once
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

/// What the programs behind a socket of the service manager start with.
namespace picket::ipc {

/// sd_listen_fds(3) by hand: the one listening SOCK_SEQPACKET socket that was passed, O_CLOEXEC and non-blocking.
/// invalid_input where none was.
Result<UniqueFd> passed_socket();
/// SIGTERM and SIGINT, blocked from now on, as a descriptor.
Result<UniqueFd> stop_signals();

} // namespace picket::ipc
