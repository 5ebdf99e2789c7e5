// What picket-link answers to a probe, as root's side takes it, and what the report makes of it.
#include <algorithm>

#include <picket/base/check.h>
#include <picket/connectivity/report.h>
#include <picket/ipc/probe_json.h>

namespace {

using namespace picket;

bool is_plain(const std::string& text) {
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void check_result(const ProbeResult& result) {
    PICKET_CHECK(is_plain(result.message) && is_plain(result.issuer) && is_plain(result.intermediary));
    PICKET_CHECK(result.took.count() >= 0 && result.hops.size() == kHops.size());
    for (std::size_t i = 0; i < kHops.size(); ++i) {
        const HopResult& hop = result.hops[i];
        PICKET_CHECK(hop.hop == kHops[i] && hop.took.count() >= 0 && is_plain(hop.target) && is_plain(hop.detail));
    }
    // What was understood says the same once more.
    const auto again = ipc::probe_result_from(ipc::to_json(result));
    PICKET_CHECK(again && again->fault == result.fault && again->hops.size() == result.hops.size());
}

void check_report(const ProbeResult& result) {
    const trust::NetworkSettings settings{.endpoints = {{"definitions", "https://mirror.example.org"}}};
    const connectivity::Prober probe = [&](const ProbeRequest&) { return result; };
    const auto report = connectivity::examine({.settings = settings, .hints = {}, .probe = probe});
    PICKET_CHECK(report && report->endpoints.size() == 1);
    const data::Json json = connectivity::to_json(*report);
    const bool works = result.fault == ConnectionFault::none;
    PICKET_CHECK(data::bool_or(json, "all_reachable", !works) == works);
    PICKET_CHECK(data::string_or(json["endpoints"][0], "fix", "").empty() == works);
    PICKET_CHECK(!data::to_text(json).empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto json = data::parse_json(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!json)
        return 0;
    if (const auto result = ipc::probe_result_from(*json)) {
        check_result(*result);
        check_report(*result);
    }
    if (const auto request = ipc::probe_request_from(*json))
        PICKET_CHECK(request->time_limit.count() >= 1 && request->time_limit.count() <= 60);
    return 0;
}
