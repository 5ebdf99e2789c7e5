#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <picket/base/result.h>

#include "database.h"

namespace picket::store {

/// What one event's digest covers, in this order (docs/control-protocol.md); the digest itself is the column after
/// these.
inline constexpr std::string_view kRecordColumns = "sequence, host_id, time, boot_id, monotonic_ms, type, origin, "
                                                   "path, threat_name, sha256, threat_id, scan_id, reason,"
                                                   " message, count, pid, process, uid";
inline constexpr int kRecordColumnCount = 18;
inline constexpr int kDigestColumn = kRecordColumnCount;

/// The one row of the table event_chain: what the kept events hang on, so that a loss at either end shows too.
/// Digests are 32 bytes.
struct EventChain {
    std::uint64_t base = 0;            ///< events are numbered from the one after it
    std::uint64_t anchor_sequence = 0; ///< the newest that retention dropped
    std::string anchor_digest;         ///< its digest
    std::uint64_t head_sequence = 0;   ///< the newest
    std::string head_digest;           ///< its digest
    std::uint64_t dropped = 0;         ///< by retention
    std::uint64_t dropped_unacknowledged = 0;
    std::uint64_t acknowledged = 0;  ///< up to this one somebody has them
    std::uint64_t rebuilt_after = 0; ///< the row was gone when this was the newest; 0 = never
};

/// SHA-256 of the digest before and the record in the columns 0 to kRecordColumnCount - 1 of `row`.
std::string digest_of(const Database::Statement& row, std::string_view digest_before);
/// Gives a stored event its digest, and makes it the head.
Result<void> seal_event(const Database& database, std::uint64_t sequence, EventChain& chain);

/// The stored row; where it is gone, one that is made from the events and says so.
Result<EventChain> load_chain(const Database& database);
Result<std::optional<EventChain>> read_chain(const Database& database);
Result<void> write_chain(const Database& database, const EventChain& chain);

/// Chains events that were stored without digests: the second half of migration 2.
Result<void> begin_chain(const Database& database);
/// A chain without events whose numbers go on after `base`.
EventChain empty_chain(std::uint64_t base);

} // namespace picket::store
