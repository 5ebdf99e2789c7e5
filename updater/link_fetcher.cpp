#include "link_fetcher.h"

#include <algorithm>
#include <array>
#include <poll.h>
#include <utility>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/data/json.h>
#include <picket/ipc/probe_json.h>
#include <picket/ipc/seqpacket.h>

namespace picket::updater {
namespace {

using data::Json;

constexpr std::int64_t kGraceSeconds = 30; ///< beyond the download's own time limit
constexpr std::int64_t kLongestRetryAfter = 86'400;
constexpr int kSendWithinMs = 5'000;

Json to_json(const updates::Fetcher::Request& request) {
    return {{"op", "fetch"},
            {"url", request.url},
            {"limit", request.limit.count},
            {"offset", request.offset},
            {"seconds", request.time_limit.count()},
            {"if_none_match", request.if_none_match},
            {"proxy", request.proxy},
            {"no_proxy", request.no_proxy},
            {"ca_certificates", request.ca_certificates}};
}

/// What the link says may come from whoever took it over: only these codes, and the text escaped.
Error error_of(const Json& answer) {
    static constexpr std::array<std::pair<std::string_view, ErrorCode>, 3> kCodes{
        {{"conflict", ErrorCode::conflict}, {"corrupt", ErrorCode::corrupt}, {"exhausted", ErrorCode::exhausted}}};
    const Json& error = data::member(answer, "error");
    const std::string code = data::string_or(error, "code", "");
    const std::string message = escape_for_display(data::string_or(error, "message", "no reason given").substr(0, 500));
    for (const auto& [name, value] : kCodes)
        if (name == code)
            return Error(value, message);
    return Error(ErrorCode::unavailable, message);
}

Result<void> wait_for_answer(int connection, int stop, std::chrono::seconds time_limit) {
    std::array<pollfd, 2> watched{pollfd{connection, POLLIN, 0}, pollfd{stop, POLLIN, 0}};
    const int ready =
        poll(watched.data(), watched.size(), static_cast<int>((time_limit.count() + kGraceSeconds) * 1'000));
    if (watched[1].revents != 0)
        return Error(ErrorCode::unavailable, "picket-definitions was stopped");
    if (ready <= 0)
        return Error(ErrorCode::unavailable, "picket-link does not answer");
    return {};
}

} // namespace

Result<Json> LinkFetcher::ask(const Json& request, const std::vector<int>& descriptors,
                              std::chrono::seconds time_limit) const {
    const auto connection = ipc::connect_to(path_);
    if (!connection)
        return Error(ErrorCode::unavailable, connection.error().with_context("picket-link").message());
    if (!ipc::wait_writable(connection->get(), kSendWithinMs))
        return Error(ErrorCode::unavailable, "picket-link takes no request");
    PICKET_TRY(ipc::send_message(connection->get(), data::to_text(request), descriptors));
    PICKET_TRY(wait_for_answer(connection->get(), stop_fd_, time_limit));
    const auto message = ipc::receive_content(connection->get(), kibibytes(64));
    if (!message)
        return Error(ErrorCode::unavailable, "picket-link ended before it answered");
    Json answer = PICKET_TRY(data::parse_json(*message));
    if (!data::bool_or(answer, "ok", false))
        return error_of(answer);
    return answer;
}

Result<ProbeResult> LinkFetcher::probe(const ProbeRequest& request) const {
    Json json = ipc::to_json(request);
    json["op"] = "probe";
    return ipc::probe_result_from(PICKET_TRY(ask(json, {}, 2 * request.time_limit)));
}

Result<updates::Fetcher::Answer> LinkFetcher::fetch(const Request& request) {
    const Json answer = PICKET_TRY(ask(to_json(request), {request.output}, request.time_limit));
    Answer result;
    result.status = static_cast<long>(data::integer_or(answer, "status", 0));
    result.etag = escape_for_display(data::string_or(answer, "etag", "").substr(0, 256));
    result.received = static_cast<std::uint64_t>(std::max<std::int64_t>(0, data::integer_or(answer, "received", 0)));
    if (const std::int64_t wait = data::integer_or(answer, "retry_after", -1); wait >= 0)
        result.retry_after = std::chrono::seconds(std::min(wait, kLongestRetryAfter));
    return result;
}

} // namespace picket::updater
