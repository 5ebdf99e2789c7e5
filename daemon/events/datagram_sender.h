#pragma once
#include <string>
#include <string_view>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::daemon {

/// Datagrams to a socket with a name in the file system, by that name each time: whoever reads there may come, go and
/// come back. Never blocks. Thread-safe.
class DatagramSender {
  public:
    explicit DatagramSender(std::string path);
    /// not_found: there is no such socket. Everything else (nobody reads, no room, too large) is unavailable.
    Result<void> send(std::string_view datagram) const;

  private:
    std::string path_;
    UniqueFd socket_;
};

} // namespace picket::daemon
