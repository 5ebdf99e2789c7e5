#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/clock.h>
#include <picket/ipc/seqpacket.h>

namespace picket::remedy {

struct ServerOptions {
    uid_t allowed_uid = 0;            ///< any other peer is closed without an answer
    std::optional<Milliseconds> idle; ///< run() ends after so long without a request
    std::size_t maximum_connections = 16;
};

/// Answers requests one after the other. One thread.
class Server {
  public:
    using Handler = std::function<std::string(const ipc::Message&)>;
    /// `stop_fd`: readable = finish the request at hand and return.
    Server(UniqueFd listening, int stop_fd, const Clock& clock, Handler handler, ServerOptions options);
    void run();

  private:
    bool turn();
    int wait_ms() const;
    void accept_waiting();
    /// False where the connection is to be closed.
    bool serve(int connection);

    UniqueFd listening_;
    int stop_fd_;
    const Clock& clock_;
    Handler handler_;
    ServerOptions options_;
    std::vector<UniqueFd> connections_;
    MonotonicTime last_request_;
};

} // namespace picket::remedy
