#include <picket/ipc/rpc.h>

#include <cerrno>
#include <thread>

#include <fmt/format.h>

#include "rpc_message.h"

namespace picket::ipc {
namespace {

constexpr std::size_t kMaximumPending = 100'000; ///< notifications kept while a call waits for its answer
constexpr Milliseconds kConnectRetry{20};

int rest_ms(MonotonicTime end) {
    const auto rest = std::chrono::ceil<Milliseconds>(end - SystemClock().monotonic()).count();
    return rest < 0 ? 0 : static_cast<int>(rest);
}

Error closed() {
    return {ErrorCode::unavailable, "the daemon closed the connection"};
}

RpcResult result_of(const data::Json& answer) {
    const data::Json& error = data::member(answer, "error");
    if (error.is_null())
        return {data::member(answer, "result"), std::nullopt};
    const data::Json& details = data::member(error, "data");
    return {nullptr, RpcError{data::string_or(details, "name", "failed"),
                              data::string_or(error, "message", "the daemon gave no reason"),
                              data::string_or(details, "fix", "")}};
}

/// Nothing on timeout.
Result<std::optional<data::Json>> receive_json(int fd, MonotonicTime end) {
    for (;;) {
        if (!wait_readable(fd, rest_ms(end)))
            return std::optional<data::Json>();
        auto message = receive_message(fd);
        if (message)
            return std::optional(
                PICKET_TRY(data::parse_json(message->content, {.size = kMaximumMessage, .depth = kAnswerDepth})));
        if (message.error().errno_value() == EAGAIN)
            continue;
        return message.error().code() == ErrorCode::not_found ? closed() : message.error();
    }
}

} // namespace

Result<RpcClient> RpcClient::connect(const std::string& path, Milliseconds timeout) {
    const MonotonicTime end = SystemClock().monotonic() + timeout;
    for (;;) {
        auto fd = connect_to(path);
        if (fd)
            return RpcClient(std::move(*fd));
        // EAGAIN: the daemon lives, but its backlog is full; an AF_UNIX socket offers nothing to wait on.
        if (fd.error().errno_value() != EAGAIN || rest_ms(end) == 0)
            return fd.error();
        std::this_thread::sleep_for(kConnectRetry);
    }
}

Result<RpcResult> RpcClient::call(const std::string& method, const data::Json& parameters,
                                  const std::vector<int>& descriptors, Milliseconds timeout) {
    const MonotonicTime end = SystemClock().monotonic() + timeout;
    const std::int64_t id = next_id_++;
    const std::string text = request_text(id, method, parameters);
    for (;;) {
        const auto sent = send_message(fd_.get(), text, descriptors);
        if (sent)
            break;
        // A daemon that refused us has said why before it closed; that is still to be read.
        if (sent.error().errno_value() == EPIPE)
            break;
        if (sent.error().errno_value() != EAGAIN || !wait_writable(fd_.get(), rest_ms(end)))
            return sent.error().with_context(method);
    }
    std::string parts;
    for (;;) {
        auto answer = PICKET_TRY(receive_json(fd_.get(), end));
        if (!answer)
            return Error(ErrorCode::unavailable,
                         fmt::format("{}: no answer within {} s", method,
                                     std::chrono::duration_cast<std::chrono::seconds>(timeout).count()));
        if (data::member(*answer, "method").is_string()) {
            if (pending_.size() < kMaximumPending)
                pending_.push_back({data::string_or(*answer, "method", ""), data::member(*answer, "params")});
            continue;
        }
        const data::Json& answered = data::member(*answer, "id");
        if (!answered.is_null() && answered != data::Json(id))
            continue; // of a call that timed out
        if (!data::member(*answer, "part").is_string())
            return result_of(*answer);
        parts += data::string_or(*answer, "part", "");
        if (parts.size() > kMaximumAnswer.count)
            return Error(ErrorCode::exhausted,
                         fmt::format("{}: the answer is larger than {}", method, to_human(kMaximumAnswer)));
        if (!data::bool_or(*answer, "more", false))
            return result_of(PICKET_TRY(data::parse_json(parts, {.size = kMaximumAnswer, .depth = kAnswerDepth})));
    }
}

Result<std::optional<RpcClient::Notification>> RpcClient::wait_notification(Milliseconds timeout) {
    if (!pending_.empty()) {
        std::optional<Notification> first(std::move(pending_.front()));
        pending_.erase(pending_.begin());
        return first;
    }
    const MonotonicTime end = SystemClock().monotonic() + timeout;
    for (;;) {
        auto message = PICKET_TRY(receive_json(fd_.get(), end));
        if (!message)
            return std::optional<Notification>();
        if (data::member(*message, "method").is_string())
            return std::optional(
                Notification{data::string_or(*message, "method", ""), data::member(*message, "params")});
    }
}

} // namespace picket::ipc
