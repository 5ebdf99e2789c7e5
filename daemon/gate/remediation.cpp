#include "remediation.h"

#include <sys/prctl.h>

#include <fmt/format.h>

#include "file_server.h"
#include "log.h"

namespace picket::daemon {
namespace {

/// Of a file that may be put away: asks no server.
std::optional<watch::FileFacts> facts_of(const watch::EventFile& file) {
    watch::FileFacts facts;
    if (!file || !watch::SystemFileInspector().facts(file.fd(), facts))
        return std::nullopt;
    return facts;
}

} // namespace

void Remediation::start() {
    thread_ = std::thread([this] { run(); });
}

void Remediation::stop() {
    queue_.close();
    if (thread_.joinable())
        thread_.join();
}

void Remediation::take(Order order) {
    if (queue_.push(std::move(order)))
        return;
    // NOLINTBEGIN(bugprone-use-after-move): what a full queue refuses it has not taken
    const std::string action =
        failed(order.outcome, order.found, "busy", fmt::format("{} files wait to be taken away already", kCapacity));
    tell(order.outcome, order.found, action);
    // NOLINTEND(bugprone-use-after-move)
}

void Remediation::tell(const gate::Outcome& outcome, const Event& found, const std::string& action) const {
    if (outcome.scan_job != 0 && listener_)
        listener_(outcome.scan_job, found.path, found.threat_name, action);
}

void Remediation::run() {
    prctl(PR_SET_NAME, "picket-remedial");
    while (const auto order = queue_.pop()) {
        try {
            handle(*order);
        } catch (const std::exception& error) { // e.g. out of memory: this file stays, denied; the next is tried
            log(LogLevel::error, fmt::format("{} was not taken away: {}", order->found.path, error.what()));
        }
    }
}

void Remediation::handle(const Order& order) {
    tell(order.outcome, order.found, quarantine(order.outcome, order.found));
}

/// A rule that names a text matches itself. Only root puts anything there.
bool Remediation::is_own_definitions(const gate::Outcome& outcome) const {
    const auto facts = facts_of(outcome.file);
    return outcome.path.starts_with(ports_.own_definitions) && facts && facts->root_only_writable;
}

std::optional<Remediation::Refusal> Remediation::refusal_of(const gate::Outcome& outcome) {
    if (outcome.origin == EventOrigin::selftest)
        return std::nullopt;
    if (is_own_definitions(outcome))
        return Refusal{"own_definitions", "a signature database matches itself"};
    if (outcome.file.is_put_away()) {
        if (server_of(outcome.file.fd()) == FileServer::foreign)
            return Refusal{"foreign_server", "it is on a file system that the host's administrator has not mounted"};
    } else if (const std::string why = ports_.packages.why_it_stays(outcome.path, outcome.file.fd()); !why.empty()) {
        return Refusal{"package_file", why};
    }
    const unsigned maximum = ports_.policy.policy()->quarantine_maximum_per_minute;
    const Brake::Answer answer = ports_.brake.ask(maximum);
    if (answer == Brake::Answer::go)
        return std::nullopt;
    if (answer == Brake::Answer::engages_now) {
        Event event;
        event.type = EventType::quarantine_brake_engaged;
        event.reason = "quarantine_brake";
        event.count = maximum;
        event.message = fmt::format("{} files were quarantined within a minute: malware is denied and stays where it "
                                    "is until \"picket threat quarantine resume\"",
                                    maximum);
        ports_.events.record(event);
    }
    return Refusal{"brake", "the quarantine brake is engaged"};
}

std::string Remediation::leave(const Refusal& refusal, const Event& found) {
    Event event = found;
    event.type = EventType::quarantine_refused;
    event.reason = refusal.reason;
    event.message = refusal.message;
    ports_.events.record(event);
    if (!found.threat_id.empty())
        (void)ports_.store.set_threat_status(found.threat_id, ThreatStatus::blocked, "");
    return std::string(to_string(ThreatStatus::blocked));
}

std::string Remediation::quarantine(const gate::Outcome& outcome, const Event& found) {
    const auto facts = facts_of(outcome.file);
    if (!facts || facts->deleted || outcome.path.empty())
        return "gone"; // nothing is left to move
    if (const auto refusal = refusal_of(outcome))
        return leave(*refusal, found);
    const std::string& threat_id = found.threat_id;
    RemedyClient::Target target;
    target.quarantine_id = store::new_id();
    target.path = outcome.path;
    target.threat_name = found.threat_name;
    target.threat_id = threat_id;
    target.definitions = outcome.definitions;
    target.device = outcome.key.device;
    target.inode = outcome.key.inode;
    target.size = outcome.key.size;
    const auto moved = ports_.remedy.quarantine(target, outcome.file.to_hand_on(), outcome.file.is_put_away());
    if (!moved)
        return failed(outcome, found, "remedy_absent", moved.error().message());
    if (!moved->removed)
        return failed(outcome, found, moved->reason, moved->message);
    if (outcome.origin != EventOrigin::selftest)
        ports_.brake.on_quarantined();
    Event event = found;
    event.type = EventType::threat_quarantined;
    event.message = target.quarantine_id;
    ports_.events.record(event);
    if (!threat_id.empty())
        (void)ports_.store.set_threat_status(threat_id, ThreatStatus::quarantined, target.quarantine_id);
    ports_.selftests.update(outcome.key.device, outcome.key.inode, [&](SelfTests::Result& result) {
        result.quarantined = true;
        result.quarantine_id = target.quarantine_id;
    });
    return std::string(to_string(ThreatStatus::quarantined));
}

std::string Remediation::failed(const gate::Outcome& outcome, const Event& found, const std::string& reason,
                                const std::string& message) {
    Event event = found;
    event.type = EventType::quarantine_failed;
    event.reason = reason;
    event.message = message;
    ports_.events.record(event);
    if (!found.threat_id.empty())
        (void)ports_.store.set_threat_status(found.threat_id, ThreatStatus::quarantine_failed, "");
    ports_.selftests.update(outcome.key.device, outcome.key.inode, [&](SelfTests::Result& result) {
        result.quarantined = false;
        result.failure = reason;
        result.quarantine_id = "";
    });
    return std::string(to_string(ThreatStatus::quarantine_failed));
}

} // namespace picket::daemon
