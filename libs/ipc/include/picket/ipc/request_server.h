#pragma once
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <picket/base/clock.h>
#include <picket/ipc/seqpacket.h>

namespace picket::ipc {

struct RequestServerOptions {
    std::vector<uid_t> allowed_uids{0}; ///< any other peer is closed without an answer
    std::optional<Milliseconds> idle;   ///< run() ends after so long without a request
    std::size_t maximum_connections = 16;
    std::size_t at_once = 1; ///< requests; with more than one the handler runs on threads of its own
};

/// Answers requests, those of one connection one after the other. run() is for one thread.
class RequestServer {
  public:
    /// `connection` is for a look at whether the peer still waits; the answer is sent by the server.
    using Handler = std::function<std::string(const Message& message, int connection)>;
    /// `stop_fd`: readable = finish the requests at hand and return.
    RequestServer(UniqueFd listening, int stop_fd, const Clock& clock, Handler handler, RequestServerOptions options);
    void run();

  private:
    bool turn();
    int wait_ms() const;
    void accept_waiting();
    /// False where the connection is to be closed.
    bool serve(int connection) const;
    struct Connection {
        UniqueFd fd;
        std::thread worker;       ///< joinable while it is at a request of this connection
        std::future<bool> served; ///< what serve() gave
    };
    void begin(Connection& connection);
    void collect_finished();
    std::size_t running() const;

    UniqueFd listening_;
    int stop_fd_;
    const Clock& clock_;
    Handler handler_;
    RequestServerOptions options_;
    UniqueFd finished_; ///< a thread is done with a request
    std::vector<Connection> connections_;
    MonotonicTime last_request_;
};

} // namespace picket::ipc
