#pragma once
#include <string>
#include <utility>

#include <picket/ipc/rpc.h>

namespace picket::daemon {

inline constexpr std::int64_t kMaximumList = 10'000; ///< items of one answer

inline ipc::RpcResult fail(std::string name, std::string message, std::string fix = "") {
    return {data::Json(), ipc::RpcError{std::move(name), std::move(message), std::move(fix)}};
}

/// What an error of the rest of the daemon is called on the wire.
inline ipc::RpcResult answer_of(const Error& error) {
    return {data::Json(), ipc::rpc_error_from(error)};
}

/// A change of local settings: `permission` there means that a managed profile holds the key.
inline ipc::RpcResult change_error(const Error& error) {
    if (error.code() == ErrorCode::permission)
        return fail("managed", error.message(), "change the central profile");
    return answer_of(error);
}

} // namespace picket::daemon
