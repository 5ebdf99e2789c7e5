#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include <picket/ipc/rpc.h>

#include "aftermath.h"

namespace picket::daemon {

/// Has definitions brought in by picket-definitions, tried by the engine, and put in force or refused: by hand, and on
/// a schedule. It hands names from one to the other and touches neither network nor databases. A thread of its own,
/// because downloads and loading take their time, and one for tests of connections, which do not wait for those.
class DefinitionsKeeper {
  public:
    struct Ports {
        GateLoop& gate;
        Aftermath& aftermath;
        const PolicyKeeper& policy;
        const sys::Root& root;
        std::string socket; ///< of picket-definitions
        const Clock& clock;
        std::function<void()> approve_files; ///< new generations on disk are the engine's to open
    };
    explicit DefinitionsKeeper(Ports ports);
    ~DefinitionsKeeper() { stop(); }
    DefinitionsKeeper(const DefinitionsKeeper&) = delete;
    DefinitionsKeeper& operator=(const DefinitionsKeeper&) = delete;

    void start();
    void stop();

    enum class Order { update, update_now, rollback, status, connectivity };
    /// Answered when it is done. Any thread.
    ipc::RpcResult ask(Order order, const ipc::RpcReply& reply);

  private:
    struct Waiting {
        Order order = Order::update;
        ipc::RpcReply reply;
    };
    using Orders = std::deque<Waiting>;
    void run();
    void run_tests();
    /// Nothing: look around, or stop.
    std::optional<Waiting> wait_for_order(Orders& orders);
    ipc::RpcResult carry_out(Order order);
    ipc::RpcResult update(std::chrono::seconds minimum_age);
    ipc::RpcResult report_held(const data::Json& outcome) const;
    ipc::RpcResult rollback();
    ipc::RpcResult test_connections() const;
    ipc::RpcResult report_failure(const data::Json& outcome);
    Result<void> put_in_force(const std::string& generation, bool is_new);
    Result<data::Json> request(const data::Json& request) const;
    struct Trial {
        std::string definitions; ///< that serve now
        std::string message;
        bool answered = false;
    };
    Trial try_candidate() const;
    void record(EventType type, const std::string& reason, const std::string& message);
    bool is_due();
    bool stopping() const;

    Ports ports_;
    const double spread_;
    std::int64_t started_ = 0;
    std::int64_t retry_at_ = 0; ///< where no engine was there to try what lies ready
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    Orders orders_;
    Orders tests_; ///< of connections
    bool stopping_ = false;
    std::thread thread_;
    std::thread test_thread_;
};

} // namespace picket::daemon
