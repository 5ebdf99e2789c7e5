#include "aftermath.h"

#include <sys/prctl.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/watch/file_facts.h>

#include "file_server.h"
#include "log.h"

namespace picket::daemon {
namespace {

constexpr Bytes kDigestLimit = gibibytes(4);
constexpr std::chrono::seconds kSilentFor{60};
constexpr std::chrono::seconds kUnscannedEvery{10};
constexpr std::chrono::seconds kRepeatedEvery{5};
constexpr std::size_t kMaximumRemembered = 4'096;

/// What the level audit let through, in words that can be looked for.
void say_if_audit(const gate::Outcome& outcome, Event& event) {
    if (!outcome.would_deny)
        return;
    event.reason = "audit";
    event.message = "this open would have been denied at the enforcement level real_time";
}

} // namespace

void Aftermath::start() {
    thread_ = std::thread([this] { run(); });
}

void Aftermath::stop() {
    ports_.outcomes.close();
    if (thread_.joinable())
        thread_.join();
}

void Aftermath::run() {
    prctl(PR_SET_NAME, "picket-after");
    while (auto item = ports_.outcomes.pop()) {
        try {
            handle(std::move(*item));
        } catch (const std::exception& error) { // e.g. out of memory: this record is lost, the next is not
            ++lost_records_;
            log(LogLevel::error, fmt::format("a record was lost: {}", error.what()));
        }
    }
}

void Aftermath::handle(AftermathItem&& item) {
    if (item.digest_question != 0)
        return answer_digest_question(item);
    switch (item.outcome.kind) {
    case gate::Outcome::Kind::detection:
        return on_detection(std::move(item.outcome));
    case gate::Outcome::Kind::repeated:
        return on_repeated(item.outcome);
    case gate::Outcome::Kind::unscanned:
        return on_unscanned(item.outcome);
    default:
        return on_system(item.outcome);
    }
}

void Aftermath::answer_digest_question(const AftermathItem& item) {
    const std::string digest = sha256_of(item.outcome.file);
    const bool allowed = !digest.empty() && ports_.allowances.contains(digest);
    ports_.gate.post([scan = item.digest_question, allowed](gate::Gate& gate, EngineLink&) {
        gate.on_digest_checked(scan, allowed);
    });
}

/// Empty where it cannot be read.
std::string Aftermath::sha256_of(const watch::EventFile& file) {
    watch::FileFacts facts;
    if (!file || !watch::SystemFileInspector().facts(file.fd(), facts))
        return "";
    if (!file.is_put_away()) {
        const auto digest = crypto::sha256_of(file.fd(), kDigestLimit);
        return digest ? to_hex(digest->sha256) : "";
    }
    if (server_of(file.fd()) == FileServer::foreign)
        return ""; // it may take its time, and others' records wait
    const std::uint64_t device = facts.key.device;
    const MonotonicTime now = ports_.clock.monotonic();
    std::erase_if(silent_, [now](const auto& each) { return each.second < now; });
    if (silent_.contains(device))
        return "";
    const auto digest = ports_.errands.digest_of(file);
    if (!digest && digest.error().code() == ErrorCode::unavailable)
        silent_[device] = now + kSilentFor;
    return digest ? to_hex(*digest) : "";
}

std::string Aftermath::process_of(pid_t pid) const {
    return watch::SystemFileInspector().executable(pid);
}

bool Aftermath::is_due(const std::string& what, std::chrono::seconds every) {
    const MonotonicTime now = ports_.clock.monotonic();
    if (last_.size() > kMaximumRemembered)
        last_.clear();
    const auto [entry, is_new] = last_.try_emplace(what, now);
    if (!is_new && now - entry->second < every)
        return false;
    entry->second = now;
    return true;
}

void Aftermath::on_detection(gate::Outcome&& outcome) {
    Event found;
    found.origin = outcome.origin;
    found.path = outcome.path;
    found.threat_name = outcome.finding.threat_name.empty() ? std::string(to_string(outcome.finding.verdict))
                                                            : outcome.finding.threat_name;
    found.pid = outcome.pid;
    found.process = process_of(outcome.pid);
    found.sha256 = sha256_of(outcome.file);
    const bool is_selftest = outcome.origin == EventOrigin::selftest;
    if (!is_selftest)
        ports_.brake.on_detection();
    // Somebody may have restored a test file: a self-test is about what is not allowed.
    const bool allowed =
        outcome.allowed || (!is_selftest && !found.sha256.empty() && ports_.allowances.contains(found.sha256));
    found.type = allowed          ? EventType::threat_allowed
                 : outcome.denied ? EventType::threat_blocked
                                  : EventType::threat_detected;
    if (!allowed)
        say_if_audit(outcome, found);
    if (is_selftest) {
        ports_.selftests.update(outcome.key.device, outcome.key.inode, [&](SelfTests::Result& result) {
            result.detected = true;
            result.blocked = result.blocked || outcome.denied;
            result.threat_name = found.threat_name;
        });
    } else { // a self-test is an event and nothing that anybody has to look after
        Threat threat;
        threat.name = found.threat_name;
        threat.path = found.path;
        threat.sha256 = found.sha256;
        threat.origin = outcome.origin;
        threat.status = allowed          ? ThreatStatus::allowed
                        : outcome.denied ? ThreatStatus::blocked
                                         : ThreatStatus::detected;
        threat.first_seen = threat.last_seen = ports_.clock.wall();
        threat.definitions = outcome.definitions;
        const auto id = ports_.store.record_threat(threat);
        if (id)
            found.threat_id = *id;
        else
            log(LogLevel::error, "state.db: " + id.error().message());
    }
    record(found);
    const std::string action(to_string(found.type == EventType::threat_allowed ? ThreatStatus::allowed
                                       : outcome.denied                        ? ThreatStatus::blocked
                                                                               : ThreatStatus::detected));
    if (outcome.act && !allowed && outcome.file)
        ports_.remediation.take({std::move(outcome), std::move(found)});
    else
        ports_.remediation.tell(outcome, found, action);
}

void Aftermath::on_repeated(const gate::Outcome& outcome) {
    if (outcome.origin == EventOrigin::selftest) {
        ports_.selftests.update(outcome.key.device, outcome.key.inode,
                                [](SelfTests::Result& result) { result.blocked = true; });
        return;
    }
    ports_.brake.on_detection();
    if (!is_due(fmt::format("{}:{}:{}", outcome.key.device, outcome.key.inode, outcome.pid), kRepeatedEvery))
        return;
    Event event;
    event.type = outcome.denied ? EventType::threat_blocked : EventType::threat_detected;
    event.origin = outcome.origin;
    event.path = outcome.path;
    event.threat_name = outcome.finding.threat_name;
    say_if_audit(outcome, event);
    event.pid = outcome.pid;
    event.process = process_of(outcome.pid);
    record(event);
}

/// One event a reason each ten seconds; its count is exact, because the gate counts every one.
void Aftermath::on_unscanned(const gate::Outcome& outcome) {
    const auto index = static_cast<std::size_t>(outcome.reason);
    if (!is_due(fmt::format("unscanned:{}", index), kUnscannedEvery))
        return;
    const gate::GateStatistics now = ports_.gate.snapshot().statistics;
    Event event;
    event.type =
        outcome.decision == Decision::allow ? EventType::open_allowed_unscanned : EventType::open_denied_unscanned;
    event.origin = EventOrigin::real_time;
    event.path = outcome.path;
    event.reason = std::string(to_string(outcome.reason));
    event.count =
        std::max<std::uint64_t>(1, now.unscanned[index] - std::min(told_.unscanned[index], now.unscanned[index]));
    event.pid = outcome.pid;
    event.process = process_of(outcome.pid);
    told_.unscanned[index] = now.unscanned[index];
    record(event);
}

void Aftermath::on_system(const gate::Outcome& outcome) {
    Event event;
    event.path = outcome.path;
    event.message = outcome.message;
    switch (outcome.kind) {
    case gate::Outcome::Kind::events_lost:
        if (!is_due("events_lost", kUnscannedEvery))
            return;
        event.type = EventType::events_lost;
        event.reason = "events_lost";
        break;
    case gate::Outcome::Kind::engine_connected:
        event.type = EventType::engine_connected;
        break;
    case gate::Outcome::Kind::engine_lost:
        event.type = EventType::engine_lost;
        event.reason = "no_engine";
        break;
    default:
        event.type = EventType::engine_worker_killed;
        event.reason = std::string(to_string(outcome.reason));
    }
    record(event);
}

} // namespace picket::daemon
