#include <picket/model/event.h>
#include <picket/model/verdict.h>

#include "names.h"

namespace picket {
namespace {

constexpr Names<Verdict, 6> kVerdicts{{{Verdict::clean, "clean"},
                                       {Verdict::malicious, "malicious"},
                                       {Verdict::potentially_unwanted, "potentially_unwanted"},
                                       {Verdict::limit_exceeded, "limit_exceeded"},
                                       {Verdict::unreadable, "unreadable"},
                                       {Verdict::engine_error, "engine_error"}}};

constexpr Names<EventType, 34> kEventTypes{{{EventType::threat_blocked, "threat.blocked"},
                                            {EventType::threat_detected, "threat.detected"},
                                            {EventType::threat_quarantined, "threat.quarantined"},
                                            {EventType::quarantine_failed, "quarantine.failed"},
                                            {EventType::quarantine_refused, "quarantine.refused"},
                                            {EventType::quarantine_brake_engaged, "quarantine.brake_engaged"},
                                            {EventType::quarantine_brake_released, "quarantine.brake_released"},
                                            {EventType::quarantine_expired, "quarantine.expired"},
                                            {EventType::quarantine_removed, "quarantine.removed"},
                                            {EventType::threat_restored, "threat.restored"},
                                            {EventType::threat_allowed, "threat.allowed"},
                                            {EventType::open_allowed_unscanned, "open.allowed_unscanned"},
                                            {EventType::open_denied_unscanned, "open.denied_unscanned"},
                                            {EventType::events_lost, "gate.events_lost"},
                                            {EventType::filesystem_unmarked, "filesystem.unmarked"},
                                            {EventType::engine_connected, "engine.connected"},
                                            {EventType::engine_lost, "engine.lost"},
                                            {EventType::engine_worker_killed, "engine.worker_killed"},
                                            {EventType::definitions_changed, "definitions.changed"},
                                            {EventType::definitions_refused, "definitions.refused"},
                                            {EventType::definitions_update_failed, "definitions.update_failed"},
                                            {EventType::definitions_rolled_back, "definitions.rolled_back"},
                                            {EventType::profile_changed, "profile.changed"},
                                            {EventType::profile_refused, "profile.refused"},
                                            {EventType::protection_weakened, "protection.weakened"},
                                            {EventType::exclusion_expired, "exclusion.expired"},
                                            {EventType::build_expires_soon, "build.expires_soon"},
                                            {EventType::build_expired, "build.expired"},
                                            {EventType::scan_started, "scan.started"},
                                            {EventType::scan_finished, "scan.finished"},
                                            {EventType::self_test, "selftest"},
                                            {EventType::daemon_started, "daemon.started"},
                                            {EventType::daemon_stopped, "daemon.stopped"},
                                            {EventType::gate_killed, "gate.killed"}}};

constexpr Names<EventOrigin, 5> kOrigins{{{EventOrigin::real_time, "real_time"},
                                          {EventOrigin::close_write, "close_write"},
                                          {EventOrigin::scan, "scan"},
                                          {EventOrigin::selftest, "selftest"},
                                          {EventOrigin::system, "system"}}};

constexpr Names<ThreatStatus, 6> kThreatStatuses{{{ThreatStatus::detected, "detected"},
                                                  {ThreatStatus::blocked, "blocked"},
                                                  {ThreatStatus::quarantined, "quarantined"},
                                                  {ThreatStatus::restored, "restored"},
                                                  {ThreatStatus::allowed, "allowed"},
                                                  {ThreatStatus::quarantine_failed, "quarantine_failed"}}};

constexpr Names<ScanKind, 3> kScanKinds{
    {{ScanKind::quick, "quick"}, {ScanKind::full, "full"}, {ScanKind::custom, "custom"}}};

constexpr Names<ScanStatus, 5> kScanStatuses{{{ScanStatus::running, "running"},
                                              {ScanStatus::finished, "finished"},
                                              {ScanStatus::cancelled, "cancelled"},
                                              {ScanStatus::failed, "failed"},
                                              {ScanStatus::interrupted, "interrupted"}}};

constexpr Names<ScanOrigin, 2> kScanOrigins{{{ScanOrigin::manual, "manual"}, {ScanOrigin::scheduled, "scheduled"}}};

} // namespace

std::string_view to_string(Verdict verdict) {
    return name_of(kVerdicts, verdict);
}
std::string_view to_string(EventType type) {
    return name_of(kEventTypes, type);
}
std::optional<EventType> event_type_from(std::string_view name) {
    return value_of(kEventTypes, name);
}
std::string_view to_string(EventOrigin origin) {
    return name_of(kOrigins, origin);
}
std::optional<EventOrigin> event_origin_from(std::string_view name) {
    return value_of(kOrigins, name);
}
std::string event_id(const Event& event) {
    const bool has_id = !event.host_id.empty() && event.sequence > 0;
    return has_id ? event.host_id + "-" + std::to_string(event.sequence) : std::string();
}
std::string_view to_string(ThreatStatus status) {
    return name_of(kThreatStatuses, status);
}
std::optional<ThreatStatus> threat_status_from(std::string_view name) {
    return value_of(kThreatStatuses, name);
}
std::string_view to_string(ScanKind kind) {
    return name_of(kScanKinds, kind);
}
std::optional<ScanKind> scan_kind_from(std::string_view name) {
    return value_of(kScanKinds, name);
}
std::string_view to_string(ScanStatus status) {
    return name_of(kScanStatuses, status);
}
std::optional<ScanStatus> scan_status_from(std::string_view name) {
    return value_of(kScanStatuses, name);
}
std::string_view to_string(ScanOrigin origin) {
    return name_of(kScanOrigins, origin);
}
std::optional<ScanOrigin> scan_origin_from(std::string_view name) {
    return value_of(kScanOrigins, name);
}

} // namespace picket
