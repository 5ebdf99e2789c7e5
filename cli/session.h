#pragma once
#include <optional>
#include <string>
#include <vector>

#include <picket/command_line/output.h>
#include <picket/ipc/rpc.h>
#include <picket/model/exit_code.h>

namespace picket::cli {

command_line::Failure failure_of(const ipc::RpcError& error);
command_line::Failure failure_of(const Error& error);
command_line::Failure make_failure(CliExit exit, std::string name, std::string message, std::string fix = "");

/// The value, or why there is none.
template <typename T>
struct Tried {
    std::optional<T> value;
    command_line::Failure failure{};
    explicit operator bool() const { return value.has_value(); }
};

/// The connection to the daemon. One thread.
class Session {
  public:
    /// Connects and agrees on the protocol.
    static Tried<Session> open(const std::string& socket);

    Tried<data::Json> call(const std::string& method, const data::Json& parameters = data::Json::object(),
                           const std::vector<int>& descriptors = {}, Milliseconds timeout = Milliseconds(30'000));
    /// Nothing on timeout. Keeps the daemon from taking a quiet connection for a forgotten one.
    Tried<std::optional<ipc::RpcClient::Notification>> wait(Milliseconds timeout);

  private:
    explicit Session(ipc::RpcClient client) : client_(std::move(client)), last_call_(SystemClock().monotonic()) {}
    ipc::RpcClient client_;
    MonotonicTime last_call_;
};

} // namespace picket::cli
