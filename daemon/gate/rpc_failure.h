#pragma once
#include <string>
#include <utility>

#include <picket/ipc/rpc.h>

namespace picket::daemon {

inline constexpr std::int64_t kMaximumList = 10'000; ///< items of one answer

inline ipc::RpcResult fail(std::string name, std::string message, std::string fix = "") {
    return {data::Json(), ipc::RpcError{std::move(name), std::move(message), std::move(fix)}};
}

} // namespace picket::daemon
