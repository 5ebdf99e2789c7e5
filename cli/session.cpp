#include "session.h"

#include <fmt/format.h>
#include <picket/base/build_info.h>

namespace picket::cli {
namespace {

constexpr int kProtocol = 1;
constexpr Milliseconds kKeepAlive{60'000};

std::string client_name() {
    return fmt::format("picket {}", build::version());
}

struct ExitOf {
    std::string_view name;
    CliExit exit;
};
/// The table of docs/control-protocol.md; what is not here is 1.
constexpr ExitOf kExits[] = {
    {"usage", CliExit::usage},
    {"needs_root", CliExit::needs_root},
    {"managed", CliExit::managed},
    {"profile_refused", CliExit::usage},
};

command_line::Failure not_connected(const Error& error, const std::string& socket) {
    if (error.code() == ErrorCode::permission)
        return make_failure(CliExit::needs_root, "needs_root", error.message(), "run it as root");
    if (error.code() == ErrorCode::not_found || error.code() == ErrorCode::unavailable)
        return make_failure(CliExit::daemon_not_running, "not_running",
                            fmt::format("the daemon picketd is not running (nobody answers at {})", socket),
                            "systemctl status picketd says why; systemctl start picketd starts it");
    return failure_of(error);
}

} // namespace

command_line::Failure make_failure(CliExit exit, std::string name, std::string message, std::string fix) {
    return {static_cast<int>(exit), std::move(name), std::move(message), std::move(fix)};
}

command_line::Failure failure_of(const ipc::RpcError& error) {
    CliExit exit = CliExit::failed;
    for (const ExitOf& row : kExits)
        if (row.name == error.name)
            exit = row.exit;
    return make_failure(exit, error.name, error.message,
                        error.fix.empty() && exit == CliExit::needs_root ? "run it as root" : error.fix);
}

command_line::Failure failure_of(const Error& error) {
    return make_failure(CliExit::failed, std::string(to_string(error.code())), error.message());
}

Tried<Session> Session::open(const std::string& socket) {
    auto client = ipc::RpcClient::connect(socket);
    if (!client)
        return {std::nullopt, not_connected(client.error(), socket)};
    Session session(std::move(*client));
    const auto hello = session.call("hello", {{"client", client_name()}, {"protocol", kProtocol}});
    if (!hello)
        return {std::nullopt, hello.failure};
    if (const auto spoken = data::integer_or(*hello.value, "protocol", 0); spoken != kProtocol)
        return {std::nullopt,
                make_failure(CliExit::failed, "protocol",
                             fmt::format("picketd speaks protocol {}, this program {}", spoken, kProtocol),
                             "install picket and picketd of the same version, then restart picketd")};
    return {std::move(session)};
}

Tried<data::Json> Session::call(const std::string& method, const data::Json& parameters,
                                const std::vector<int>& descriptors, Milliseconds timeout) {
    last_call_ = SystemClock().monotonic();
    auto answer = client_.call(method, parameters, descriptors, timeout);
    if (!answer)
        return {std::nullopt, failure_of(answer.error())};
    if (answer->error)
        return {std::nullopt, failure_of(*answer->error)};
    return {std::move(answer->value)};
}

Tried<std::optional<ipc::RpcClient::Notification>> Session::wait(Milliseconds timeout) {
    auto notification = client_.wait_notification(timeout);
    if (!notification)
        return {std::nullopt, failure_of(notification.error())};
    if (!notification->has_value() && SystemClock().monotonic() - last_call_ > kKeepAlive) {
        const auto alive = call("hello", {{"client", client_name()}, {"protocol", kProtocol}});
        if (!alive)
            return {std::nullopt, alive.failure};
    }
    return {std::move(*notification)};
}

} // namespace picket::cli
