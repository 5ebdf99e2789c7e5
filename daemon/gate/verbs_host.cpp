#include "verbs.h"

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/model/paths.h>
#include <picket/model/tag.h>

#include "host_identity.h"
#include "rpc_failure.h"

/// What a host is called, what it judges by, and what keeps it busy.
namespace picket::daemon {
namespace {

using data::Json;
using ipc::RpcRequest;
using ipc::RpcResult;

constexpr std::size_t kMaximumTags = 100;

Json hitters_json(const std::vector<gate::HeavyHitters::Entry>& entries, const char* name) {
    Json list = Json::array();
    for (const gate::HeavyHitters::Entry& entry : entries) {
        Json item{{"opens", entry.count}};
        data::set_path(item, name, entry.name);
        list.push_back(std::move(item));
    }
    return list;
}

Json slowest_json(const std::vector<gate::SlowScan>& scans, std::size_t limit) {
    Json list = Json::array();
    for (const gate::SlowScan& scan : scans) {
        if (list.size() >= limit)
            break;
        Json item{{"scan_ms", scan.took.count()}, {"size_bytes", scan.bytes}};
        data::set_path(item, "path", scan.path);
        list.push_back(std::move(item));
    }
    return list;
}

} // namespace

RpcResult Verbs::definitions_update(RpcRequest& request) {
    const bool now = data::bool_or(request.parameters, "now", false);
    return ports_.definitions.ask(now ? DefinitionsKeeper::Order::update_now : DefinitionsKeeper::Order::update,
                                  request.reply);
}

RpcResult Verbs::definitions_rollback(RpcRequest& request) {
    return ports_.definitions.ask(DefinitionsKeeper::Order::rollback, request.reply);
}

RpcResult Verbs::definitions_status(RpcRequest& request) {
    return ports_.definitions.ask(DefinitionsKeeper::Order::status, request.reply);
}

RpcResult Verbs::connectivity_test(RpcRequest& request) {
    return ports_.definitions.ask(DefinitionsKeeper::Order::connectivity, request.reply);
}

RpcResult Verbs::tag_list(RpcRequest&) {
    return {Json{{"tags", read_host_identity(ports_.root).tags}}, {}};
}

RpcResult Verbs::save_tags(const Json& tags, bool changed) {
    if (changed)
        if (const auto saved = ports_.root.write_atomically(paths::kTags, data::to_pretty_text(tags) + "\n", 0644);
            !saved)
            return {Json(), ipc::rpc_error_from(saved.error())};
    return {Json{{"tags", tags}, {"changed", changed}}, {}};
}

RpcResult Verbs::tag_set(RpcRequest& request) {
    const auto name = data::get_string(request.parameters, "name");
    const auto value = data::get_string(request.parameters, "value");
    if (!name || !value)
        return fail("usage", "tag.set takes name and value");
    if (const auto good = check_tag(*name, *value); !good)
        return {Json(), ipc::rpc_error_from(good.error())};
    std::lock_guard lock(mutex_);
    Json tags = read_host_identity(ports_.root).tags;
    const bool changed = data::member(tags, *name) != Json(*value);
    tags[*name] = *value;
    if (tags.size() > kMaximumTags)
        return fail("usage", fmt::format("a host has at most {} tags", kMaximumTags), "picket tag remove");
    return save_tags(tags, changed);
}

RpcResult Verbs::tag_remove(RpcRequest& request) {
    const auto name = data::get_string(request.parameters, "name");
    if (!name)
        return fail("usage", "tag.remove takes name");
    std::lock_guard lock(mutex_);
    Json tags = read_host_identity(ports_.root).tags;
    const bool changed = tags.erase(*name) > 0;
    return save_tags(tags, changed);
}

/// The gate's thread owns what is asked for.
RpcResult Verbs::statistics(RpcRequest& request) {
    constexpr std::int64_t kMost = 100;
    const auto top =
        static_cast<std::size_t>(std::clamp<std::int64_t>(data::integer_or(request.parameters, "top", 10), 1, kMost));
    const VerdictKeeper::State kept = ports_.verdicts.state();
    ports_.gate.post([top, kept, reply = request.reply, seconds = uptime_seconds()](gate::Gate& gate, EngineLink&) {
        Json counters = statistics_json(gate.statistics());
        counters["held_opens"] = gate.held_opens();
        counters["cached_verdicts"] = gate.cached_verdicts();
        counters["verdicts_of_last_run"] = kept.restored;
        if (!kept.why_none.empty())
            counters["verdicts_of_last_run_dropped"] = kept.why_none;
        reply({Json{{"counters", std::move(counters)},
                    {"uptime_seconds", seconds},
                    {"sampled_every", gate::Activity::kSampleEvery},
                    {"processes", hitters_json(gate.activity().executables(top), "process")},
                    {"files", hitters_json(gate.activity().files(top), "path")},
                    {"slowest", slowest_json(gate.activity().slowest(), top)}},
               {}});
    });
    return RpcResult::later();
}

std::uint64_t Verbs::uptime_seconds() const {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(ports_.clock.monotonic() - started_).count());
}

} // namespace picket::daemon
