#include "service.h"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/data/json.h>
#include <picket/ipc/probe_json.h>
#include <picket/net/probe.h>

namespace picket::link {
namespace {

using data::Json;

constexpr std::int64_t kLongestSeconds = 3'600;

/// The caller's file, by position: nobody's offset counts.
class FileSink final : public net::Sink {
  public:
    explicit FileSink(int fd) : fd_(fd) {}

    Result<void> begin(std::uint64_t offset) override {
        position_ = offset;
        if (ftruncate(fd_, static_cast<off_t>(offset)) != 0)
            return Error::from_errno(errno, "shortening the file");
        return {};
    }
    Result<void> write(ByteSpan bytes) override {
        while (!bytes.empty()) {
            const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(position_));
            if (written < 0 && errno == EINTR)
                continue;
            if (written < 0)
                return Error::from_errno(errno, "writing the file");
            position_ += static_cast<std::uint64_t>(written);
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
        return {};
    }

  private:
    int fd_;
    std::uint64_t position_ = 0;
};

Result<std::uint64_t> unsigned_of(const Json& object, std::string_view key) {
    const std::int64_t value = PICKET_TRY(data::get_integer(object, key));
    if (value < 0)
        return Error(ErrorCode::invalid_input, fmt::format("\"{}\" must not be negative", key));
    return static_cast<std::uint64_t>(value);
}

Result<net::Request> request_from(const Json& json) {
    net::Request request;
    request.url = PICKET_TRY(data::get_string(json, "url"));
    request.limit = Bytes{PICKET_TRY(unsigned_of(json, "limit"))};
    request.offset = PICKET_TRY(unsigned_of(json, "offset"));
    request.time_limit =
        std::chrono::seconds(std::clamp<std::int64_t>(data::integer_or(json, "seconds", 60), 1, kLongestSeconds));
    request.proxy = data::string_or(json, "proxy", "");
    request.no_proxy = data::strings_of(data::member(json, "no_proxy"));
    request.ca_certificates = data::string_or(json, "ca_certificates", "");
    request.if_none_match = data::string_or(json, "if_none_match", "");
    return request;
}

Json to_json(const net::Response& response) {
    Json json{{"ok", true},
              {"status", response.status},
              {"etag", response.etag},
              {"received", response.received},
              {"resumed", response.resumed}};
    if (response.retry_after)
        json["retry_after"] = response.retry_after->count();
    return json;
}

Result<Json> fetch(Network& network, const Json& json, const ipc::Message& message,
                   const std::function<bool()>& cancelled) {
    struct stat status {};
    if (message.descriptors.size() != 1 || fstat(message.descriptors.front().get(), &status) != 0 ||
        !S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, "fetch takes one descriptor of a regular file");
    const net::Request request = PICKET_TRY(request_from(json));
    FileSink sink(message.descriptors.front().get());
    std::lock_guard lock(network.downloading);
    return to_json(PICKET_TRY(network.downloader.get(request, sink, cancelled)));
}

Result<Json> probe(const Json& json, const std::function<bool()>& cancelled) {
    const ProbeRequest request = PICKET_TRY(ipc::probe_request_from(json));
    Json result = ipc::to_json(net::probe(request, cancelled));
    result["ok"] = true;
    return result;
}

Result<Json> dispatch(Network& network, const ipc::Message& message, const std::function<bool()>& cancelled) {
    const Json json = PICKET_TRY(data::parse_json(message.content));
    const std::string op = data::string_or(json, "op", "");
    if (op == "fetch")
        return fetch(network, json, message, cancelled);
    if (op == "probe")
        return probe(json, cancelled);
    return Error(ErrorCode::invalid_input, "unknown op: it is fetch or probe");
}

} // namespace

std::string answer(Network& network, const ipc::Message& request, const std::function<bool()>& cancelled) {
    const auto result = dispatch(network, request, cancelled);
    if (result)
        return data::to_text(*result);
    const Json error{{"code", to_string(result.error().code())}, {"message", result.error().message()}};
    return data::to_text(Json{{"ok", false}, {"error", error}});
}

} // namespace picket::link
