#include "rpc_message.h"

#include <sys/socket.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::ipc {
namespace {

constexpr std::size_t kMaximumMethod = 128;
constexpr std::size_t kMaximumId = 256;
constexpr std::size_t kEnvelopeRoom = 1024; ///< of a part, beside its text
constexpr int kServerError = -32000;
constexpr int kInvalidParameters = -32602;

bool is_valid_id(const data::Json& id) {
    return id.is_number_integer() || (id.is_string() && id.get_ref<const std::string&>().size() <= kMaximumId);
}

ParsedRequest refuse(data::Json id, std::string message) {
    ParsedRequest parsed;
    parsed.id = std::move(id);
    parsed.error = RpcError{"usage", std::move(message), "see docs/control-protocol.md"};
    return parsed;
}

std::optional<std::string> problem_of(const data::Json& method, const data::Json& parameters,
                                      const data::Json& version) {
    if (!version.is_string() || version.get_ref<const std::string&>() != "2.0")
        return "\"jsonrpc\" must be \"2.0\"";
    if (!method.is_string() || method.get_ref<const std::string&>().empty() ||
        method.get_ref<const std::string&>().size() > kMaximumMethod)
        return fmt::format("\"method\" must be a string of 1 to {} bytes", kMaximumMethod);
    if (!parameters.is_null() && !parameters.is_object())
        return "\"params\" must be an object";
    return std::nullopt;
}

/// The longest prefix of at most `size` bytes that does not end inside a UTF-8 sequence.
std::string_view whole_prefix(std::string_view text, std::size_t size) {
    if (text.size() <= size)
        return text;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
        --size;
    return text.substr(0, size);
}

} // namespace

RpcError rpc_error_from(const Error& error) {
    switch (error.code()) {
    case ErrorCode::invalid_input:
        return {"usage", error.message(), ""};
    case ErrorCode::not_found:
        return {"not_found", error.message(), ""};
    case ErrorCode::unavailable:
    case ErrorCode::exhausted:
        return {"unavailable", error.message(), ""};
    case ErrorCode::permission:
        // EACCES and EROFS are the daemon's own trouble with a file; only a decision of ours means "be root".
        if (error.errno_value() == 0)
            return {"needs_root", error.message(), "run it as root"};
        break;
    default:
        break;
    }
    return {"failed", error.message(), ""};
}

ParsedRequest parse_request(std::string_view content) {
    auto json = data::parse_json(content, {.size = kMaximumMessage, .depth = 32});
    if (!json)
        return refuse(nullptr, json.error().message());
    if (json->is_array())
        return refuse(nullptr, "batches are not taken: one request a message");
    if (!json->is_object())
        return refuse(nullptr, "a request is a JSON object");
    const data::Json id = data::member(*json, "id");
    if (!id.is_null() && !is_valid_id(id))
        return refuse(nullptr, fmt::format("\"id\" must be an integer or a string of at most {} bytes", kMaximumId));
    const data::Json& method = data::member(*json, "method");
    const data::Json& parameters = data::member(*json, "params");
    if (const auto problem = problem_of(method, parameters, data::member(*json, "jsonrpc")))
        return refuse(id, *problem);
    ParsedRequest parsed;
    parsed.id = id;
    parsed.request.emplace();
    parsed.request->method = method.get<std::string>();
    parsed.request->parameters = parameters.is_null() ? data::Json::object() : parameters;
    return parsed;
}

std::string request_text(std::int64_t id, const std::string& method, const data::Json& parameters) {
    return data::to_text({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", parameters}});
}

std::string notification_text(const std::string& method, const data::Json& parameters) {
    return data::to_text({{"jsonrpc", "2.0"}, {"method", method}, {"params", parameters}});
}

std::string answer_text(const data::Json& id, const RpcResult& result) {
    data::Json answer = {{"jsonrpc", "2.0"}, {"id", id}};
    if (!result.error) {
        answer["result"] = result.value;
        return data::to_text(answer);
    }
    data::Json details = {{"name", result.error->name}};
    if (!result.error->fix.empty())
        details["fix"] = result.error->fix;
    answer["error"] = {{"code", result.error->name == "usage" ? kInvalidParameters : kServerError},
                       {"message", result.error->message},
                       {"data", details}};
    return data::to_text(answer);
}

std::size_t largest_message(int fd) {
    // A larger message needs one run of free pages in the kernel, and fails (ENOBUFS) where memory is in pieces.
    constexpr std::size_t kEasilySent = 128U << 10;
    constexpr std::size_t kKernelRoom = 64; ///< the kernel keeps a little of the buffer to itself
    int size = 0;
    socklen_t length = sizeof(size);
    if (::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) != 0 || size < 4096)
        return 2048;
    return std::min(kEasilySent, static_cast<std::size_t>(size) - kKernelRoom);
}

std::vector<std::string> answer_messages(const data::Json& id, const RpcResult& result, std::size_t limit) {
    std::string whole = answer_text(id, result);
    if (whole.size() <= limit)
        return {std::move(whole)};
    if (whole.size() > kMaximumAnswer.count)
        return {answer_text(
            id, {nullptr, RpcError{"failed", fmt::format("the answer is larger than {}", to_human(kMaximumAnswer)),
                                   "ask for less with \"limit\""}})};
    // JSON text holds no raw control characters, so that quoting it again at most doubles it.
    const std::size_t piece = limit > 2 * kEnvelopeRoom ? (limit - kEnvelopeRoom) / 2 : limit / 4;
    std::vector<std::string> messages;
    for (std::string_view rest = whole; !rest.empty();) {
        const std::string_view text = whole_prefix(rest, piece);
        rest.remove_prefix(text.size());
        messages.push_back(data::to_text({{"jsonrpc", "2.0"}, {"id", id}, {"part", text}, {"more", !rest.empty()}}));
    }
    return messages;
}

} // namespace picket::ipc
