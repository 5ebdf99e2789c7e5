#include <picket/ipc/probe_json.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::ipc {
namespace {

using data::Json;
using std::chrono::milliseconds;

constexpr std::size_t kLongestText = 500;
constexpr std::int64_t kLongestSeconds = 60;
constexpr std::int64_t kLongestMs = 600'000;

std::string text_of(const Json& json, std::string_view key) {
    return escape_for_display(data::string_or(json, key, "").substr(0, kLongestText));
}

milliseconds time_of(const Json& json) {
    return milliseconds(std::clamp<std::int64_t>(data::integer_or(json, "took_ms", 0), 0, kLongestMs));
}

template <typename Enum>
Result<Enum> word_of(const Json& json, std::string_view key, std::optional<Enum> (*known)(std::string_view)) {
    const std::string word = PICKET_TRY(data::get_string(json, key));
    const std::optional<Enum> value = known(word);
    if (!value)
        return Error(ErrorCode::invalid_input,
                     fmt::format("\"{}\": unknown word '{}'", key, escape_for_display(word.substr(0, 64))));
    return *value;
}

} // namespace

Json to_json(const ProbeRequest& request) {
    return {{"url", request.url},
            {"proxy", request.proxy},
            {"no_proxy", request.no_proxy},
            {"ca_certificates", request.ca_certificates},
            {"expects_json", request.expects_json},
            {"seconds", request.time_limit.count()}};
}

Result<ProbeRequest> probe_request_from(const Json& json) {
    ProbeRequest request;
    request.url = PICKET_TRY(data::get_string(json, "url"));
    request.proxy = data::string_or(json, "proxy", "");
    request.no_proxy = data::strings_of(data::member(json, "no_proxy"));
    request.ca_certificates = data::string_or(json, "ca_certificates", "");
    request.expects_json = data::bool_or(json, "expects_json", false);
    request.time_limit = std::chrono::seconds(
        std::clamp<std::int64_t>(data::integer_or(json, "seconds", request.time_limit.count()), 1, kLongestSeconds));
    return request;
}

Json to_json(const HopResult& hop) {
    return {{"hop", to_string(hop.hop)},
            {"status", to_string(hop.status)},
            {"target", hop.target},
            {"took_ms", hop.took.count()},
            {"detail", hop.detail}};
}

Json to_json(const ProbeResult& result) {
    Json hops = Json::array();
    for (const HopResult& hop : result.hops)
        hops.push_back(to_json(hop));
    return {{"through_proxy", result.through_proxy},
            {"fault", to_string(result.fault)},
            {"message", result.message},
            {"issuer", result.issuer},
            {"intermediary", result.intermediary},
            {"took_ms", result.took.count()},
            {"hops", std::move(hops)}};
}

Result<ProbeResult> probe_result_from(const Json& json) {
    ProbeResult result;
    result.through_proxy = data::bool_or(json, "through_proxy", false);
    result.fault = PICKET_TRY(word_of(json, "fault", connection_fault_from));
    result.message = text_of(json, "message");
    result.issuer = text_of(json, "issuer");
    result.intermediary = text_of(json, "intermediary");
    result.took = time_of(json);
    for (const Hop hop : kHops)
        result.hops.push_back({.hop = hop});
    const Json& hops = data::member(json, "hops");
    if (hops.is_array() && hops.size() <= kHops.size())
        for (const Json& item : hops) {
            HopResult& hop = result.hops[static_cast<std::size_t>(PICKET_TRY(word_of(item, "hop", hop_from)))];
            hop.status = PICKET_TRY(word_of(item, "status", hop_status_from));
            hop.target = text_of(item, "target");
            hop.took = time_of(item);
            hop.detail = text_of(item, "detail");
        }
    return result;
}

} // namespace picket::ipc
