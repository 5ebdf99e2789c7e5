#include "verbs.h"

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/profile/local.h>
#include <picket/profile/views.h>

#include "records_json.h"
#include "rpc_failure.h"

namespace picket::daemon {
namespace {

using data::Json;
using ipc::RpcRequest;
using ipc::RpcResult;

std::size_t limit_of(const RpcRequest& request, std::int64_t fallback) {
    return static_cast<std::size_t>(
        std::clamp<std::int64_t>(data::integer_or(request.parameters, "limit", fallback), 1, kMaximumList));
}

PolicyKeeper::Caller caller_of(const RpcRequest& request) {
    return {request.credentials.uid, request.credentials.pid};
}

} // namespace

Verbs::Verbs(Ports ports) : ports_(ports), started_(ports.clock.monotonic()), operator_([this] { run_operations(); }) {}

Verbs::~Verbs() {
    operations_.close();
    operator_.join();
}

const std::vector<Verbs::Row>& Verbs::table() {
    static const std::vector<Row> kTable{
        {"hello", Access::any, {"client", "protocol"}, &Verbs::hello},
        {"version", Access::any, {}, &Verbs::version},
        {"health", Access::any, {}, &Verbs::get_health},
        {"scan.start",
         Access::root,
         {"kind", "path", "path_b64", "ignore_exclusions", "follow"},
         &Verbs::scan_start,
         ipc::RpcDescriptors::taken},
        {"scan.file", Access::any, {"path", "path_b64"}, &Verbs::scan_file, ipc::RpcDescriptors::left},
        {"scan.list", Access::root, {"limit"}, &Verbs::scan_list},
        {"scan.cancel", Access::root, {"scan_id"}, &Verbs::scan_cancel},
        {"threat.list", Access::root, {"limit"}, &Verbs::threat_list},
        {"threat.get", Access::root, {"threat_id"}, &Verbs::threat_get},
        {"threat.allowed.list", Access::root, {}, &Verbs::allowed_list},
        {"threat.allowed.add", Access::root, {"name"}, &Verbs::allowed_add},
        {"threat.allowed.remove", Access::root, {"name"}, &Verbs::allowed_remove},
        {"threat.policy.list", Access::root, {}, &Verbs::threat_policy_list},
        {"threat.policy.set", Access::root, {"type", "action"}, &Verbs::threat_policy_set},
        {"quarantine.list", Access::root, {}, &Verbs::quarantine_list},
        {"quarantine.add", Access::root, {}, &Verbs::quarantine_add, ipc::RpcDescriptors::taken},
        {"quarantine.remove", Access::root, {"quarantine_id"}, &Verbs::quarantine_remove},
        {"quarantine.resume", Access::root, {}, &Verbs::quarantine_resume},
        {"quarantine.restore",
         Access::root,
         {"quarantine_id", "destination", "destination_b64", "overwrite"},
         &Verbs::quarantine_restore},
        {"exclusion.list", Access::root, {}, &Verbs::exclusion_list},
        {"exclusion.add", Access::root, {"type", "value", "reason", "owner", "expires"}, &Verbs::exclusion_add},
        {"exclusion.remove", Access::root, {"type", "value"}, &Verbs::exclusion_remove},
        {"exclusion.advise", Access::root, {"top"}, &Verbs::exclusion_advise},
        {"config.show", Access::root, {"name"}, &Verbs::config_show},
        {"config.set", Access::root, {"name", "value"}, &Verbs::config_set},
        {"definitions.update", Access::root, {"now"}, &Verbs::definitions_update},
        {"definitions.rollback", Access::root, {}, &Verbs::definitions_rollback},
        {"definitions.status", Access::root, {}, &Verbs::definitions_status},
        {"connectivity.test", Access::root, {}, &Verbs::connectivity_test},
        {"profile.show", Access::root, {}, &Verbs::profile_show},
        {"selftest.begin", Access::root, {}, &Verbs::selftest_begin, ipc::RpcDescriptors::taken},
        {"selftest.result", Access::root, {}, &Verbs::selftest_result},
        {"tag.list", Access::root, {}, &Verbs::tag_list},
        {"tag.set", Access::root, {"name", "value"}, &Verbs::tag_set},
        {"tag.remove", Access::root, {"name"}, &Verbs::tag_remove},
        {"statistics", Access::root, {"top"}, &Verbs::statistics},
        {"event.list", Access::root, {"limit", "after", "type"}, &Verbs::event_list},
        {"event.follow", Access::root, {"after"}, &Verbs::event_follow},
        {"event.verify", Access::root, {}, &Verbs::event_verify},
    };
    return kTable;
}

const Verbs::Row* Verbs::row_of(const std::string& method) {
    const auto& rows = table();
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.method == method; });
    return row == rows.end() ? nullptr : &*row;
}

ipc::RpcDescriptors Verbs::descriptors_of(const RpcRequest& request) {
    const Row* const row = row_of(request.method);
    const bool may_call = row != nullptr && (row->access == Access::any || request.credentials.uid == 0);
    return may_call ? row->descriptors : ipc::RpcDescriptors::dropped;
}

RpcResult Verbs::handle(RpcRequest& request) {
    const Row* const row = row_of(request.method);
    if (row == nullptr)
        return fail("usage", fmt::format("unknown method '{}'", escape_for_display(request.method.substr(0, 64))));
    if (row->access == Access::root && request.credentials.uid != 0)
        return fail("needs_root", fmt::format("{} needs root", row->method), "use sudo");
    for (const auto& [key, value] : request.parameters.items())
        if (std::find(row->parameters.begin(), row->parameters.end(), key) == row->parameters.end())
            return fail("usage",
                        fmt::format("{} has no parameter '{}'", row->method, escape_for_display(key.substr(0, 64))));
    return (this->*row->run)(request);
}

RpcResult Verbs::hello(RpcRequest& request) {
    if (data::integer_or(request.parameters, "protocol", 0) < 1)
        return fail("usage", "protocol must be 1 or higher");
    Json methods = Json::object();
    for (const Row& row : table())
        methods[std::string(row.method)] = row.access == Access::root ? "root" : "any";
    return {Json{{"protocol", 1},
                 {"version", build::version()},
                 {"features", Json::array({"scan.file", "event.follow"})},
                 {"methods", std::move(methods)}},
            {}};
}

RpcResult Verbs::version(RpcRequest&) {
    const BuildExpiry::State expiry = ports_.health.expiry.state();
    return {Json{{"app_version", build::version()},
                 {"build_date", to_rfc3339(build::built_at())},
                 {"product_expiration", to_rfc3339(expiry.end)},
                 {"product_expiration_days", expiry.days_left},
                 {"engine_version", ports_.gate.snapshot().engine.engine_version}},
            {}};
}

RpcResult Verbs::get_health(RpcRequest& request) {
    Json answer = health(ports_.health);
    if (request.credentials.uid != 0)
        answer.erase("profile_sources"); // names of root's files are root's business
    return {std::move(answer), {}};
}

RpcResult Verbs::scan_start(RpcRequest& request) {
    const auto kind = scan_kind_from(data::string_or(request.parameters, "kind", ""));
    if (!kind)
        return fail("usage", "kind must be quick, full or custom");
    const bool custom = *kind == ScanKind::custom;
    if (request.descriptors.size() != (custom ? 1U : 0U))
        return fail("usage",
                    custom ? "a custom scan carries one descriptor" : "only a custom scan carries a descriptor");
    ScanManager::Request scan;
    scan.kind = *kind;
    scan.path = data::path_of(request.parameters, "path");
    scan.ignore_exclusions = data::bool_or(request.parameters, "ignore_exclusions", false);
    if (custom)
        scan.start = std::move(request.descriptors.front());
    if (data::bool_or(request.parameters, "follow", false))
        scan.watcher = [peer = request.peer](const std::string& method, const Json& parameters) {
            if (const auto alive = peer.lock())
                alive->notify(method, parameters);
        };
    const auto id = ports_.scans.start(std::move(scan));
    return id ? RpcResult{Json{{"scan_id", *id}}, {}} : answer_of(id.error());
}

RpcResult Verbs::scan_file(RpcRequest& request) {
    ports_.files.take(
        std::move(request.connection), request.credentials.uid,
        [this, path = data::path_of(request.parameters, "path"), reply = request.reply](Result<watch::EventFile> file) {
            if (!file)
                return reply(answer_of(file.error()));
            scan_taken(std::move(*file), path, reply);
        });
    return RpcResult::later();
}

void Verbs::scan_taken(watch::EventFile file, const std::string& path, const ipc::RpcReply& reply) {
    ports_.scans.scan_file(std::move(file), path, [reply](const Finding& finding) {
        Json answer{{"verdict", to_string(finding.verdict)}};
        if (!finding.threat_name.empty())
            answer["threat_name"] = finding.threat_name;
        reply({std::move(answer), {}});
    });
}

RpcResult Verbs::scan_list(RpcRequest& request) {
    const auto scans = ports_.store.scans(limit_of(request, 100));
    if (!scans)
        return answer_of(scans.error());
    const std::vector<ScanRecord> running = ports_.scans.running();
    Json list = Json::array();
    for (const ScanRecord& saved : *scans) {
        const auto live =
            std::find_if(running.begin(), running.end(), [&](const ScanRecord& r) { return r.id == saved.id; });
        list.push_back(to_json(live != running.end() ? *live : saved));
    }
    return {Json{{"scans", std::move(list)}}, {}};
}

RpcResult Verbs::scan_cancel(RpcRequest& request) {
    const std::string id = data::string_or(request.parameters, "scan_id", "");
    const auto cancelled = ports_.scans.cancel(id);
    if (!id.empty() && cancelled.empty())
        return fail("not_found", fmt::format("no scan {} is running", escape_for_display(id)), "picket scan list");
    return {Json{{"cancelled", cancelled}}, {}};
}

RpcResult Verbs::threat_list(RpcRequest& request) {
    const auto threats = ports_.store.threats(limit_of(request, 1'000));
    if (!threats)
        return answer_of(threats.error());
    Json list = Json::array();
    for (const Threat& threat : *threats)
        list.push_back(to_json(threat));
    return {Json{{"threats", std::move(list)}}, {}};
}

RpcResult Verbs::threat_get(RpcRequest& request) {
    const auto threat = ports_.store.threat(data::string_or(request.parameters, "threat_id", ""));
    return threat ? RpcResult{to_json(*threat), {}} : answer_of(threat.error());
}

RpcResult Verbs::allowed_list(RpcRequest&) {
    return {profile::allowed_threats_json(ports_.policy.profile()), {}};
}

RpcResult Verbs::allowed_add(RpcRequest& request) {
    const auto changed = profile::add_allowed_threat(ports_.root, data::string_or(request.parameters, "name", ""));
    if (!changed)
        return change_error(changed.error());
    ports_.policy.reload(caller_of(request));
    return allowed_list(request);
}

RpcResult Verbs::allowed_remove(RpcRequest& request) {
    const auto changed = profile::remove_allowed_threat(ports_.root, data::string_or(request.parameters, "name", ""));
    if (!changed)
        return change_error(changed.error());
    ports_.policy.reload(caller_of(request));
    return allowed_list(request);
}

RpcResult Verbs::threat_policy_list(RpcRequest&) {
    return {profile::threat_policy_json(ports_.policy.profile()), {}};
}

RpcResult Verbs::threat_policy_set(RpcRequest& request) {
    const auto changed = profile::set_threat_action(ports_.root, data::string_or(request.parameters, "type", ""),
                                                    data::string_or(request.parameters, "action", ""));
    if (!changed)
        return change_error(changed.error());
    ports_.policy.reload(caller_of(request));
    Json answer = profile::threat_policy_json(ports_.policy.profile());
    answer["changed"] = *changed;
    return {std::move(answer), {}};
}

RpcResult Verbs::config_show(RpcRequest& request) {
    std::optional<std::string> name;
    if (const Json& wanted = data::member(request.parameters, "name"); wanted.is_string())
        name = wanted.get<std::string>();
    auto settings = profile::config_show_json(ports_.policy.profile(), name);
    return settings ? RpcResult{std::move(*settings), {}} : answer_of(settings.error());
}

RpcResult Verbs::config_set(RpcRequest& request) {
    const auto name = data::get_string(request.parameters, "name");
    const auto value = data::get_string(request.parameters, "value");
    if (!name || !value)
        return fail("usage", "config.set takes name and value");
    const auto changed = profile::set_setting(ports_.root, *name, *value);
    if (!changed)
        return change_error(changed.error());
    ports_.policy.reload(caller_of(request));
    return {Json{{"name", *name}, {"value", *value}, {"changed", *changed}}, {}};
}

RpcResult Verbs::profile_show(RpcRequest&) {
    return {profile::profile_show_json(ports_.policy.profile()), {}};
}

} // namespace picket::daemon
