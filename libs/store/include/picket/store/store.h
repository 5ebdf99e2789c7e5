#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/model/event.h>

namespace picket::store {

struct EventQuery {
    std::uint64_t after_sequence = 0; ///< exclusive
    std::optional<EventType> type;
    std::size_t limit = 100; ///< the newest that match, given oldest first
};

struct StoreLimits {
    std::uint64_t maximum_events = 100'000; ///< oldest go first; how many went is kept (dropped_events)
    std::uint64_t maximum_scans = 10'000;
    std::uint64_t maximum_threats = 100'000;
};

struct AppendedEvent {
    std::uint64_t sequence = 0;
    std::string digest; ///< 64 hex digits
};

struct DroppedEvents {
    std::uint64_t all = 0;
    std::uint64_t unacknowledged = 0; ///< of those: what nobody had acknowledged when it went
};

/// The first event that is not as it was recorded.
struct EventFault {
    std::uint64_t sequence = 0;
    std::string reason; ///< changed, missing, added, count, chain (docs/control-protocol.md)
    std::string message;
};
struct EventCheck {
    std::uint64_t checked = 0; ///< events that fit
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::optional<EventFault> fault; ///< none: the chain is whole
};

/// state.db: events, threats, scans. Root-only (0600, its directory 0700). What a call has returned from survives a
/// power cut (WAL, synchronous=FULL). The schema has a version; before it changes the file is copied to
/// state.db.bak-VERSION. A newer one of the same major version goes back to ours and keeps every record; one of a newer
/// major version is `conflict`, and the file is left as it is. A damaged file is moved aside
/// (state.db.corrupt-N), reported through `recovered_from_corruption`, and a new one begun. Thread-safe (one mutex).
class Store {
  public:
    static Result<std::unique_ptr<Store>> open(const std::string& path, const StoreLimits& limits = {});
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// Sequence numbers rise strictly, also over restarts and retention.
    Result<AppendedEvent> append_event(const Event& event);
    Result<std::vector<Event>> events(const EventQuery& query) const;
    std::uint64_t last_sequence() const;
    DroppedEvents dropped_events() const;
    /// Each event's digest covers the record and the digest before it: says whether all that was recorded, and not
    /// dropped by retention, is there and unchanged. Reads every event; appending goes on meanwhile.
    Result<EventCheck> verify_events() const;
    /// For whoever forwards events: everything up to `sequence` has arrived. Never goes back; a number that no event
    /// has yet is invalid_input. Retention does not wait for it.
    Result<void> acknowledge(std::uint64_t sequence);
    std::uint64_t acknowledged() const; ///< 0 = nothing yet

    /// One row per (sha256, path, name) that is not restored or allowed: repeated detections raise `count` and
    /// `last_seen` and may move the status on. Gives the id.
    Result<std::string> record_threat(const Threat& threat);
    Result<void> set_threat_status(const std::string& id, ThreatStatus status, const std::string& quarantine_id);
    Result<std::vector<Threat>> threats(std::size_t limit = 1'000) const; ///< newest first
    Result<Threat> threat(const std::string& id) const;                   ///< not_found

    Result<void> save_scan(const ScanRecord& scan);                       ///< inserts or replaces
    Result<std::vector<ScanRecord>> scans(std::size_t limit = 100) const; ///< newest first
    /// Scans left `running` by a process that died become `interrupted`, and count it; gives all that are.
    Result<std::vector<ScanRecord>> interrupt_scans();
    /// Drops ended scans older than that, and the oldest above `maximum`.
    Result<void> apply_retention(WallTime oldest, std::uint64_t maximum);

    Result<void> set_value(const std::string& key, const std::string& value); ///< small named facts
    Result<std::optional<std::string>> value(const std::string& key) const;

    bool recovered_from_corruption() const;

  private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// 16 random hex digits, for threat, scan and quarantine ids.
std::string new_id();

} // namespace picket::store
