#include "verbs.h"

#include <algorithm>
#include <sys/stat.h>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "records_json.h"
#include "rpc_failure.h"

namespace picket::daemon {
namespace {

using data::Json;
using ipc::RpcRequest;
using ipc::RpcResult;

constexpr std::size_t kMaximumFollowers = 32;

/// A client that is gone leaves an expired pointer.
bool same_peer(const std::weak_ptr<ipc::RpcPeer>& left, const std::weak_ptr<ipc::RpcPeer>& right) {
    return !left.owner_before(right) && !right.owner_before(left);
}

} // namespace

/// For what asks another process and may have to wait for it.
RpcResult Verbs::later(const RpcRequest& request, std::function<RpcResult()> work) {
    if (!operations_.push([work = std::move(work), reply = request.reply] { reply(work()); }))
        return fail("unavailable", "too many requests wait for picket-remedy", "try again in a moment");
    return RpcResult::later();
}

void Verbs::run_operations() {
    while (const auto operation = operations_.pop())
        (*operation)();
}

RpcResult Verbs::selftest_begin(RpcRequest& request) {
    struct stat status {};
    if (request.descriptors.size() != 1 || fstat(request.descriptors.front().get(), &status) != 0 ||
        !S_ISREG(status.st_mode))
        return fail("usage", "selftest.begin carries one descriptor of a regular file");
    const MonotonicTime now = ports_.clock.monotonic();
    ports_.selftests.expect(status.st_dev, status.st_ino, now);
    {
        std::lock_guard lock(mutex_);
        std::erase_if(announced_,
                      [&](const Announced& a) { return a.peer.expired() || same_peer(a.peer, request.peer); });
        announced_.push_back({request.peer, status.st_dev, status.st_ino});
    }
    // Answered once the gate knows: what follows must not be taken for the real thing.
    ports_.gate.post(
        [device = status.st_dev, inode = status.st_ino, now, reply = request.reply](gate::Gate& gate, EngineLink&) {
            gate.expect_selftest(device, inode, now + SelfTests::kLifetime);
            reply({Json::object(), {}});
        });
    return RpcResult::later();
}

RpcResult Verbs::selftest_result(RpcRequest& request) {
    std::optional<SelfTests::Result> result;
    {
        std::lock_guard lock(mutex_);
        for (const Announced& announced : announced_)
            if (same_peer(announced.peer, request.peer))
                result = ports_.selftests.find(announced.device, announced.inode);
    }
    if (!result)
        return fail("not_found", "no self-test has begun on this connection");
    // The copy of a test file is nobody's to restore: it goes once it has been reported.
    if (result->quarantined)
        (void)operations_.push([this, id = result->quarantine_id] { (void)ports_.remedy.remove(id); });
    return {Json{{"blocked", result->blocked},
                 {"detected", result->detected},
                 {"quarantined", result->quarantined},
                 {"failure", result->failure},
                 {"threat_name", result->threat_name},
                 {"quarantine_id", result->quarantine_id}},
            {}};
}

RpcResult Verbs::event_list(RpcRequest& request) {
    store::EventQuery query;
    query.limit = static_cast<std::size_t>(
        std::clamp<std::int64_t>(data::integer_or(request.parameters, "limit", 100), 1, kMaximumList));
    query.after_sequence =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, data::integer_or(request.parameters, "after", 0)));
    if (const Json& type = data::member(request.parameters, "type"); type.is_string()) {
        query.type = event_type_from(type.get<std::string>());
        if (!query.type)
            return fail("usage", fmt::format("no event type '{}'", escape_for_display(type.get<std::string>())));
    }
    const auto events = ports_.store.events(query);
    if (!events)
        return {Json(), ipc::rpc_error_from(events.error())};
    Json list = Json::array();
    for (const Event& event : *events)
        list.push_back(to_json(event));
    const store::DroppedEvents dropped = ports_.store.dropped_events();
    return {Json{{"events", std::move(list)},
                 {"dropped", dropped.all},
                 {"dropped_unacknowledged", dropped.unacknowledged},
                 {"acknowledged", ports_.store.acknowledged()}},
            {}};
}

RpcResult Verbs::event_follow(RpcRequest& request) {
    const Json& after = data::member(request.parameters, "after");
    std::lock_guard lock(mutex_); // no event may slip between the past and the future
    std::erase_if(followers_, [](const auto& peer) { return peer.expired(); });
    if (followers_.size() >= kMaximumFollowers)
        return fail("unavailable", fmt::format("{} clients follow events already", kMaximumFollowers));
    if (after.is_number_integer())
        if (const auto past = ports_.store.events(
                {static_cast<std::uint64_t>(std::max<std::int64_t>(0, after.get<std::int64_t>())), {}, 200}))
            for (const Event& event : *past)
                if (const auto peer = request.peer.lock())
                    peer->notify("event", to_json(event));
    followers_.push_back(request.peer);
    return {Json::object(), {}};
}

/// Every event is read: not on the thread that all clients wait for.
RpcResult Verbs::event_verify(RpcRequest& request) {
    return later(request, [this]() -> RpcResult {
        const auto check = ports_.store.verify_events();
        if (!check)
            return {Json(), ipc::rpc_error_from(check.error())};
        return {to_json(*check), {}};
    });
}

void Verbs::tell_followers(const Event& event) {
    std::lock_guard lock(mutex_);
    if (followers_.empty())
        return;
    const Json json = to_json(event);
    std::erase_if(followers_, [&](const std::weak_ptr<ipc::RpcPeer>& follower) {
        const auto peer = follower.lock();
        if (peer)
            peer->notify("event", json);
        return peer == nullptr;
    });
}

} // namespace picket::daemon
