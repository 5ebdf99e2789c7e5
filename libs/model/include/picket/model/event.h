#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include <picket/base/clock.h>

namespace picket {

/// The registry of event types. Names are stable: they are stored, shown and, later, sent.
enum class EventType {
    threat_blocked,  ///< an open was denied
    threat_detected, ///< found, not denied (audit level, scan, CLOSE_WRITE)
    threat_quarantined,
    quarantine_failed,
    quarantine_refused, ///< blocked, and on purpose not moved: `reason` is package_file or brake
    quarantine_brake_engaged,
    quarantine_brake_released,
    quarantine_expired, ///< a copy older than the profile keeps was destroyed
    quarantine_removed, ///< a copy was destroyed by an administrator
    threat_restored,
    threat_allowed,         ///< found, and let through by allowedThreats or an allowance
    open_allowed_unscanned, ///< the failure policy answered; `reason` and `count` say why and how often
    open_denied_unscanned,
    events_lost,         ///< queue overflow: every cache was flushed
    filesystem_unmarked, ///< a mount could not be watched
    engine_connected,
    engine_lost,
    engine_worker_killed,
    definitions_changed,
    definitions_refused,       ///< the engine did not take what the mirror offered
    definitions_update_failed, ///< once a reason, not once an attempt
    definitions_rolled_back,
    profile_changed,
    profile_refused,     ///< a bad managed file; the last good profile stays in force
    protection_weakened, ///< lower level, new exclusion, failure policy
    exclusion_expired,   ///< one with an end is over: what it covered is scanned again
    build_expires_soon,  ///< `count` days are left; at 30, 14, 7 and 1
    build_expired,       ///< protection goes on
    scan_started,
    scan_finished,
    self_test,
    daemon_started,
    daemon_stopped,
    gate_killed, ///< the guard ended a stuck gate
};
std::string_view to_string(EventType type);
std::optional<EventType> event_type_from(std::string_view name);

enum class EventOrigin { real_time, close_write, scan, selftest, system };
std::string_view to_string(EventOrigin origin);
std::optional<EventOrigin> event_origin_from(std::string_view name);

/// One record. Fields that do not apply stay empty or 0 and are left out where it is shown. Text fields are bytes as
/// the kernel gave them; whoever shows them escapes them.
struct Event {
    std::uint64_t sequence = 0; ///< set by the store
    std::string host_id;        ///< /var/lib/picket/machine-id; empty in what was recorded before it was stored
    WallTime time{};
    std::string boot_id;
    std::uint64_t monotonic_ms = 0; ///< since that boot, without the time in suspend
    std::string digest; ///< 64 hex digits, set by the store: chained over all events (docs/control-protocol.md)
    EventType type = EventType::daemon_started;
    EventOrigin origin = EventOrigin::system;
    std::string path;
    std::string threat_name;
    std::string sha256; ///< 64 hex digits
    std::string threat_id;
    std::string scan_id;
    std::string reason;  ///< a stable word of docs/operations.md: deadline, no_engine, engine_crashed, overload …
    std::string message; ///< for people
    std::uint64_t count = 0;
    pid_t pid = 0;
    std::string process; ///< executable of pid
    std::int64_t uid = -1;
};

/// Names this event among those of all hosts: HOST-SEQUENCE. Empty where the event has no host or is not stored.
std::string event_id(const Event& event);

enum class ThreatStatus { detected, blocked, quarantined, restored, allowed, quarantine_failed };
std::string_view to_string(ThreatStatus status);
std::optional<ThreatStatus> threat_status_from(std::string_view name);

/// A detection as `picket threat list` shows it. One row per (sha256, path) while it is not resolved: `count` rises.
struct Threat {
    std::string id; ///< 16 hex digits
    std::string name;
    std::string path;
    std::string sha256;
    ThreatStatus status = ThreatStatus::detected;
    EventOrigin origin = EventOrigin::real_time;
    WallTime first_seen{};
    WallTime last_seen{};
    std::uint64_t count = 1;
    std::string quarantine_id; ///< empty where nothing is in the vault
    std::string definitions;   ///< generation that found it
};

enum class ScanKind { quick, full, custom };
/// interrupted: the daemon ended under it; it goes on once an engine is there.
enum class ScanStatus { running, finished, cancelled, failed, interrupted };
enum class ScanOrigin { manual, scheduled };
std::string_view to_string(ScanKind kind);
std::string_view to_string(ScanStatus status);
std::string_view to_string(ScanOrigin origin);
std::optional<ScanKind> scan_kind_from(std::string_view name);
std::optional<ScanStatus> scan_status_from(std::string_view name);
std::optional<ScanOrigin> scan_origin_from(std::string_view name);

struct ScanRecord {
    std::string id; ///< 16 hex digits
    ScanKind kind = ScanKind::custom;
    ScanStatus status = ScanStatus::running;
    std::string path; ///< of a custom scan
    WallTime started{};
    std::optional<WallTime> ended;
    std::uint64_t files_scanned = 0;
    std::uint64_t bytes_scanned = 0;
    std::uint64_t files_failed = 0;
    std::uint64_t threats_found = 0;
    std::string message;
    ScanOrigin origin = ScanOrigin::manual;
    bool ignore_exclusions = false;
    bool low_priority = false;
    // Where it goes on after an interruption.
    std::string place;    ///< the one of its starting points that it was in; a custom scan's, as the kernel named it
    std::string position; ///< the first file there that is not known to be done
    std::uint64_t interruptions = 0;
};

} // namespace picket
