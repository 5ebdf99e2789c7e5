#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/clock.h>
#include <picket/data/json.h>
#include <picket/ipc/seqpacket.h>

/// JSON-RPC 2.0 on the control socket; docs/control-protocol.md is its reference.
namespace picket::ipc {

/// The stable error names of the control protocol; each maps to one exit code of `picket`.
struct RpcError {
    std::string name; ///< usage, needs_root, managed, not_found, unavailable, profile_refused, failed
    std::string message;
    std::string fix; ///< what to do; may be empty
};
RpcError rpc_error_from(const Error& error);

/// The result of a call: JSON, or an RpcError.
struct RpcResult {
    data::Json value;
    std::optional<RpcError> error;
    bool deferred = false; ///< from a handler only: RpcRequest::reply will be called later

    static RpcResult later() { return {nullptr, std::nullopt, true}; }
};

/// Answers a deferred request; thread-safe, the first call counts. Where every copy goes unused, the client is
/// answered with `failed`.
using RpcReply = std::function<void(const RpcResult&)>;

/// A connected client as a handler sees it. A handler may keep the weak_ptr to send notifications later, from any
/// thread; a client that does not read loses notifications (counted), then its connection.
class RpcPeer {
  public:
    virtual ~RpcPeer() = default;
    virtual const Peer& credentials() const = 0;
    /// False where the client is gone or its queue is full.
    virtual bool notify(const std::string& method, const data::Json& parameters) = 0;
};

/// What becomes of the descriptors that come with a request.
enum class RpcDescriptors {
    dropped, ///< they never become ours, for closing somebody's file may wait for its server: the answer is the last
    taken,   ///< RpcRequest::descriptors
    left,    ///< in the message, which the handler has taken off RpcRequest::connection when it answers anything but an
             ///< error other than `usage`: after one of those the client goes
};

struct RpcRequest {
    std::string method;
    data::Json parameters; ///< an object, possibly empty
    std::vector<UniqueFd> descriptors;
    UniqueFd connection; ///< where descriptors are left in the message
    std::weak_ptr<RpcPeer> peer;
    Peer credentials;
    RpcReply reply; ///< for a handler that returns RpcResult::later(); its client's next request waits until then
};

/// Called on the server's thread; must not wait for long: start the work and answer or notify, or take `reply` and
/// return RpcResult::later().
using RpcHandler = std::function<RpcResult(RpcRequest&)>;

struct RpcServerOptions {
    std::size_t maximum_clients = 256;
    std::size_t maximum_clients_per_user = 64; ///< uids other than 0
    std::size_t maximum_queue_messages = 256;  ///< outgoing, per client
    Milliseconds idle_timeout{600'000};
    /// Asked for a request that comes with any; none = all are dropped.
    std::function<RpcDescriptors(const RpcRequest&)> descriptors_of;
};

/// One thread, one epoll loop, any number of clients; a bad message (not JSON, no JSON-RPC, too long) is answered with
/// an error where it has an id and costs its sender the connection otherwise. Over the client limit the newest is
/// told so and closed.
class RpcServer {
  public:
    RpcServer(UniqueFd listening, RpcHandler handler, RpcServerOptions options = {});
    ~RpcServer();
    RpcServer(const RpcServer&) = delete;
    RpcServer& operator=(const RpcServer&) = delete;

    /// Serves until stop(); call it on a thread of its own.
    void run();
    /// Thread-safe, also from a signal-free shutdown path; run() returns soon after.
    void stop();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// The client's side, blocking with timeouts; one thread.
class RpcClient {
  public:
    /// unavailable or not_found where no daemon listens; permission where the socket refuses us.
    static Result<RpcClient> connect(const std::string& path, Milliseconds timeout = Milliseconds(5'000));

    /// Error only where the connection failed; an error of the daemon is in the RpcResult. An answer larger than one
    /// message comes in parts and is put together here.
    Result<RpcResult> call(const std::string& method, const data::Json& parameters = data::Json::object(),
                           const std::vector<int>& descriptors = {}, Milliseconds timeout = Milliseconds(30'000));
    struct Notification {
        std::string method;
        data::Json parameters;
    };
    /// Nothing on timeout. Notifications that came during call() are handed out first.
    Result<std::optional<Notification>> wait_notification(Milliseconds timeout);

  private:
    explicit RpcClient(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
    std::int64_t next_id_ = 1;
    std::vector<Notification> pending_;
};

/// Server-side parsing, pure (fuzzed): a request, or the RpcError and id to answer with.
struct ParsedRequest {
    std::optional<RpcRequest> request;
    data::Json id; ///< null for a notification or where it is unknown
    std::optional<RpcError> error;
};
ParsedRequest parse_request(std::string_view content);

} // namespace picket::ipc
