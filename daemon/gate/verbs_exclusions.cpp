#include <algorithm>
#include <sys/stat.h>

#include <picket/base/text.h>
#include <picket/profile/exclusions.h>
#include <picket/profile/local.h>
#include <picket/profile/views.h>

#include "exclusion_advisor.h"
#include "rpc_failure.h"
#include "verbs.h"

namespace picket::daemon {
namespace {

using data::Json;
using ipc::RpcRequest;
using ipc::RpcResult;

/// Who may write at a path of the running host, without following a link.
profile::PathLookup lookup_on_host() {
    auto opened = sys::Root::open("/");
    if (!opened)
        return nullptr;
    return [root = std::make_shared<sys::Root>(std::move(*opened))](
               const std::string& path) -> std::optional<profile::PathFacts> {
        const auto status = root->status(path);
        if (!status || S_ISLNK(status->st_mode))
            return std::nullopt;
        return profile::PathFacts{status->st_uid, (status->st_mode & (S_IWGRP | S_IWOTH)) != 0};
    };
}

Json to_json(const ExclusionAdvice& advice) {
    Json json{{"advice", to_string(advice.kind)}, {"type", advice.type}, {"why", advice.why}};
    data::set_path(json, "value", advice.value);
    json["opens"] = advice.opens > 0 ? Json(advice.opens) : Json();
    json["command"] = advice.command.empty() ? Json() : Json(advice.command);
    return json;
}

} // namespace

RpcResult Verbs::exclusion_list(RpcRequest&) {
    return {profile::exclusion_list_json(ports_.policy.profile()), {}};
}

Json Verbs::exclusions_after(const RpcRequest& request, bool changed) {
    ports_.policy.reload({request.credentials.uid, request.credentials.pid});
    Json answer = profile::exclusion_list_json(ports_.policy.profile());
    answer["changed"] = changed;
    return answer;
}

RpcResult Verbs::exclusion_add(RpcRequest& request) {
    const std::string type = data::string_or(request.parameters, "type", "");
    const std::string value = data::string_or(request.parameters, "value", "");
    const profile::NewExclusionNotes notes{data::string_or(request.parameters, "reason", ""),
                                           data::string_or(request.parameters, "owner", ""),
                                           data::string_or(request.parameters, "expires", "")};
    const auto changed = profile::add_exclusion(ports_.root, type, value, notes, ports_.clock.wall());
    if (!changed)
        return change_error(changed.error());
    Json answer = exclusions_after(request, *changed);
    answer["warnings"] = profile::exclusion_dangers(type, value, lookup_on_host());
    return {std::move(answer), {}};
}

RpcResult Verbs::exclusion_remove(RpcRequest& request) {
    const auto changed = profile::remove_exclusion(ports_.root, data::string_or(request.parameters, "type", ""),
                                                   data::string_or(request.parameters, "value", ""));
    return changed ? RpcResult{exclusions_after(request, *changed), {}} : change_error(changed.error());
}

/// The gate's thread knows what is opened; the disk is looked at elsewhere, for the gate opens no path.
RpcResult Verbs::exclusion_advise(RpcRequest& request) {
    constexpr std::int64_t kMost = 100;
    constexpr std::size_t kMostFiles = 256;
    const auto top =
        static_cast<std::size_t>(std::clamp<std::int64_t>(data::integer_or(request.parameters, "top", 10), 1, kMost));
    ports_.gate.post([this, top, reply = request.reply](gate::Gate& gate, EngineLink&) {
        OpensSeen seen{gate.statistics().events, gate.activity().executables(kMost), gate.activity().files(kMostFiles),
                       gate.activity().slowest()};
        const bool taken = operations_.push([this, top, reply, seen = std::move(seen)] {
            Json list = Json::array();
            for (const ExclusionAdvice& advice :
                 advise_exclusions(seen, ports_.policy.profile(), lookup_on_host(), top))
                list.push_back(to_json(advice));
            reply({Json{{"advice", std::move(list)}, {"sampled_every", gate::Activity::kSampleEvery}}, {}});
        });
        if (!taken)
            reply(fail("unavailable", "too many requests wait", "try again in a moment"));
    });
    return RpcResult::later();
}

} // namespace picket::daemon
