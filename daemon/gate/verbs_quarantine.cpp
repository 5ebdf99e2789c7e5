#include "verbs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/watch/file_facts.h>

#include "file_server.h"
#include "rpc_failure.h"

namespace picket::daemon {
namespace {

using data::Json;
using ipc::RpcRequest;
using ipc::RpcResult;

constexpr const char* kManual = "Manual"; ///< threat name of what an administrator moves
constexpr Bytes kDigestLimit = gibibytes(4);
constexpr std::chrono::hours kAllowanceLifetime{24};

RpcResult failure_of(const Error& error) {
    if (error.code() == ErrorCode::not_found)
        return fail("not_found", error.message(), "picket threat quarantine list");
    return {Json(), ipc::rpc_error_from(error)};
}

} // namespace

RpcResult Verbs::quarantine_list(RpcRequest& request) {
    return later(request, [this]() -> RpcResult {
        auto items = ports_.remedy.list();
        return items ? RpcResult{Json{{"items", std::move(*items)}}, {}} : failure_of(items.error());
    });
}

/// What an administrator takes away by hand: moved as a detection is, by the path that the kernel gives the descriptor.
RpcResult Verbs::quarantine_add(RpcRequest& request) {
    if (request.descriptors.size() != 1)
        return fail("usage", "quarantine.add carries one descriptor");
    const auto file = std::make_shared<UniqueFd>(std::move(request.descriptors.front()));
    return later(request, [this, file] { return add(file->get()); });
}

RpcResult Verbs::add(int named) {
    if (server_of(named) == FileServer::foreign)
        return fail("failed", "it lies on a file system that the host's administrator has not mounted (foreign_server)",
                    "unmount it");
    // Opened by this process, which the gate never holds up: an O_PATH descriptor names what may not be opened.
    const UniqueFd file(open(fmt::format("/proc/self/fd/{}", named).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return fail("usage", "quarantine.add needs a regular file that can be read");
    const auto digest = crypto::sha256_of(file.get(), kDigestLimit);
    if (!digest)
        return failure_of(digest.error());
    Threat threat;
    threat.name = kManual;
    threat.path = watch::SystemFileInspector().path(file.get());
    threat.sha256 = to_hex(digest->sha256);
    threat.origin = EventOrigin::system;
    threat.first_seen = threat.last_seen = ports_.clock.wall();
    threat.id = ports_.store.record_threat(threat).value_or("");

    RemedyClient::Target target;
    target.quarantine_id = store::new_id();
    target.path = threat.path;
    target.threat_name = threat.name;
    target.threat_id = threat.id;
    target.device = status.st_dev;
    target.inode = status.st_ino;
    target.size = static_cast<std::uint64_t>(status.st_size);
    const auto moved = ports_.remedy.quarantine(target, file.get());
    const bool done = moved && moved->removed;
    record_added(threat, done ? target.quarantine_id : "");
    if (!moved)
        return failure_of(moved.error());
    if (!done)
        return fail("failed", fmt::format("not moved ({}): {}", moved->reason, escape_for_display(moved->message)),
                    "docs/quarantine.md explains the reason");
    Json answer{{"quarantine_id", target.quarantine_id}, {"threat_id", threat.id}, {"sha256", moved->sha256}};
    data::set_path(answer, "path", threat.path);
    return {std::move(answer), {}};
}

void Verbs::record_added(const Threat& threat, const std::string& quarantine_id) {
    const bool done = !quarantine_id.empty();
    Event event;
    event.type = done ? EventType::threat_quarantined : EventType::quarantine_failed;
    event.path = threat.path;
    event.threat_name = threat.name;
    event.threat_id = threat.id;
    event.sha256 = threat.sha256;
    event.message = quarantine_id;
    ports_.aftermath.record(event);
    if (!threat.id.empty())
        (void)ports_.store.set_threat_status(
            threat.id, done ? ThreatStatus::quarantined : ThreatStatus::quarantine_failed, quarantine_id);
}

RpcResult Verbs::quarantine_remove(RpcRequest& request) {
    const std::string id = data::string_or(request.parameters, "quarantine_id", "");
    return later(request, [this, id]() -> RpcResult {
        const auto item = ports_.remedy.find(id);
        if (!item)
            return failure_of(item.error());
        const auto destroyed = ports_.vault.destroy(*item, EventType::quarantine_removed);
        return destroyed ? RpcResult{Json{{"quarantine_id", id}}, {}} : failure_of(destroyed.error());
    });
}

RpcResult Verbs::quarantine_resume(RpcRequest&) {
    const bool changed = ports_.brake.release();
    if (changed) {
        Event event;
        event.type = EventType::quarantine_brake_released;
        event.reason = "administrator";
        ports_.aftermath.record(event);
        // What was left where it is shall be judged, and moved, when it is opened next.
        ports_.gate.post([](gate::Gate& gate, EngineLink&) { gate.forget_verdicts(); });
    }
    return {Json{{"changed", changed}}, {}};
}

RpcResult Verbs::quarantine_restore(RpcRequest& request) {
    const std::string id = data::string_or(request.parameters, "quarantine_id", "");
    if (id.empty())
        return fail("usage", "quarantine.restore takes quarantine_id", "picket threat quarantine list");
    if (!ports_.policy.policy()->local_restore)
        return fail("managed", "the central profile forbids restoring (disallowedThreatActions)",
                    "change the central profile");
    return later(request, [this, id, destination = data::path_of(request.parameters, "destination"),
                           overwrite = data::bool_or(request.parameters, "overwrite", false)] {
        return restore(id, destination, overwrite);
    });
}

RpcResult Verbs::restore(const std::string& id, const std::string& destination, bool overwrite) {
    const auto item = ports_.remedy.find(id);
    if (!item)
        return failure_of(item.error());
    const std::string sha256 = data::string_or(*item, "sha256", "");
    // Before the file appears: its CLOSE_WRITE would have it taken again.
    if (const auto added = ports_.allowances.add(sha256, ports_.clock.wall() + kAllowanceLifetime); !added)
        return failure_of(added.error());
    const auto tell_gate = [this] {
        ports_.gate.post(
            [any = ports_.allowances.any()](gate::Gate& gate, EngineLink&) { gate.set_has_allowances(any); });
    };
    tell_gate();
    const auto restored = ports_.remedy.restore(id, destination, overwrite);
    if (!restored) {
        (void)ports_.allowances.remove(sha256);
        tell_gate();
        return failure_of(restored.error());
    }
    const std::string threat_id = data::string_or(*item, "threat_id", "");
    if (!threat_id.empty())
        (void)ports_.store.set_threat_status(threat_id, ThreatStatus::restored, "");
    Event event;
    event.type = EventType::threat_restored;
    event.path = restored->path;
    event.sha256 = sha256;
    event.threat_id = threat_id;
    event.threat_name = data::string_or(*item, "threat_name", "");
    ports_.aftermath.record(event);
    Json answer{{"sha256", sha256}, {"allowed_until", to_rfc3339(ports_.clock.wall() + kAllowanceLifetime)}};
    data::set_path(answer, "path", restored->path);
    return {std::move(answer), {}};
}

} // namespace picket::daemon
