#pragma once
#include <string_view>

namespace picket::sys {

/// sd_notify(3) by hand, never blocking: one datagram to $NOTIFY_SOCKET ("READY=1", "WATCHDOG=1", "STATUS=…").
/// Nothing happens where there is no such socket.
void notify_service_manager(std::string_view state);

} // namespace picket::sys
