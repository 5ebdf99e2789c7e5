#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/ipc/rpc.h>

/// The JSON-RPC texts of both sides. Internal to libs/ipc.
namespace picket::ipc {

inline constexpr Bytes kMaximumAnswer = mebibytes(32);
inline constexpr int kAnswerDepth = 64;

std::string request_text(std::int64_t id, const std::string& method, const data::Json& parameters);
std::string notification_text(const std::string& method, const data::Json& parameters);
std::string answer_text(const data::Json& id, const RpcResult& result);

/// The largest message that the socket takes without effort; its send buffer must hold it as a whole.
std::size_t largest_message(int fd);

/// The answer as messages of at most `limit` bytes: itself where it fits, else objects
/// {"jsonrpc","id","part":TEXT,"more":bool} whose texts in order are the answer. An answer over kMaximumAnswer becomes
/// an error that says so.
std::vector<std::string> answer_messages(const data::Json& id, const RpcResult& result, std::size_t limit);

} // namespace picket::ipc
