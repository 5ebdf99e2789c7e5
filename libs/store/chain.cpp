#include "chain.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <picket/crypto/digest.h>

#include "facts.h"

namespace picket::store {
namespace {

constexpr std::string_view kReadChain = "SELECT base, anchor_sequence, anchor_digest, head_sequence, head_digest, "
                                        "dropped, dropped_unacknowledged, acknowledged, rebuilt_after FROM event_chain";
constexpr std::string_view kWriteChain =
    "INSERT OR REPLACE INTO event_chain (id, base, anchor_sequence, anchor_digest, head_sequence, head_digest, dropped,"
    " dropped_unacknowledged, acknowledged, rebuilt_after) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kDroppedBefore = "dropped_events"; ///< where version 1 kept the count

std::string no_digest() {
    return std::string(std::tuple_size_v<crypto::Sha256Digest>, '\0');
}

Result<std::uint64_t> first_number(const Database& database, std::string_view sql) {
    auto statement = PICKET_TRY(database.prepare(sql));
    return PICKET_TRY(statement.step()) ? statement.count(0) : std::uint64_t{0};
}

/// The highest number that an event ever had, as SQLite remembers it.
Result<std::uint64_t> highest_number(const Database& database) {
    return first_number(database, "SELECT seq FROM sqlite_sequence WHERE name = 'events'");
}

Result<std::vector<std::uint64_t>> stored_sequences(const Database& database) {
    auto statement = PICKET_TRY(database.prepare("SELECT sequence FROM events ORDER BY sequence"));
    std::vector<std::uint64_t> sequences;
    while (PICKET_TRY(statement.step()))
        sequences.push_back(statement.count(0));
    return sequences;
}

/// The events are taken as they are: they cannot be held against a row that is gone.
Result<EventChain> rebuild_chain(const Database& database) {
    const auto sequences = PICKET_TRY(stored_sequences(database));
    EventChain chain = empty_chain(sequences.empty() ? PICKET_TRY(highest_number(database)) : sequences.front() - 1);
    if (!sequences.empty()) {
        auto last = PICKET_TRY(database.prepare("SELECT digest FROM events WHERE sequence = ?"));
        PICKET_TRY(last.bind(sequences.back()).step());
        chain.head_sequence = sequences.back();
        chain.head_digest = last.bytes(0);
    }
    chain.rebuilt_after = chain.head_sequence;
    PICKET_TRY(write_chain(database, chain));
    return chain;
}

} // namespace

std::string digest_of(const Database::Statement& row, std::string_view digest_before) {
    crypto::Sha256 hash;
    hash.update(digest_before);
    for (int column = 0; column < kRecordColumnCount; ++column) {
        const std::string value = row.bytes(column); // a number as its decimal digits
        hash.update(fmt::format("{}:", value.size()));
        hash.update(value);
        hash.update(",");
    }
    return std::string(as_text(hash.finish()));
}

Result<void> seal_event(const Database& database, std::uint64_t sequence, EventChain& chain) {
    auto record = PICKET_TRY(database.prepare(fmt::format("SELECT {} FROM events WHERE sequence = ?", kRecordColumns)));
    if (!PICKET_TRY(record.bind(sequence).step()))
        return Error(ErrorCode::internal, fmt::format("event {} is not there", sequence));
    chain.head_digest = digest_of(record, chain.head_digest);
    chain.head_sequence = sequence;
    auto seal = PICKET_TRY(database.prepare("UPDATE events SET digest = ? WHERE sequence = ?"));
    return seal.bind_bytes(chain.head_digest).bind(sequence).run();
}

Result<std::optional<EventChain>> read_chain(const Database& database) {
    auto row = PICKET_TRY(database.prepare(kReadChain));
    if (!PICKET_TRY(row.step()))
        return std::optional<EventChain>();
    return std::optional(EventChain{.base = row.count(0),
                                    .anchor_sequence = row.count(1),
                                    .anchor_digest = row.bytes(2),
                                    .head_sequence = row.count(3),
                                    .head_digest = row.bytes(4),
                                    .dropped = row.count(5),
                                    .dropped_unacknowledged = row.count(6),
                                    .acknowledged = row.count(7),
                                    .rebuilt_after = row.count(8)});
}

Result<EventChain> load_chain(const Database& database) {
    const auto chain = PICKET_TRY(read_chain(database));
    return chain ? Result<EventChain>(*chain) : rebuild_chain(database);
}

Result<void> write_chain(const Database& database, const EventChain& chain) {
    auto statement = PICKET_TRY(database.prepare(kWriteChain));
    statement.bind(chain.base).bind(chain.anchor_sequence).bind_bytes(chain.anchor_digest);
    statement.bind(chain.head_sequence).bind_bytes(chain.head_digest).bind(chain.dropped);
    statement.bind(chain.dropped_unacknowledged).bind(chain.acknowledged).bind(chain.rebuilt_after);
    return statement.run();
}

Result<void> begin_chain(const Database& database) {
    const auto sequences = PICKET_TRY(stored_sequences(database));
    const std::uint64_t before = sequences.empty() ? PICKET_TRY(highest_number(database)) : sequences.front() - 1;
    EventChain chain = empty_chain(before);
    chain.dropped = PICKET_TRY(read_number(database, kDroppedBefore));
    chain.dropped_unacknowledged = chain.dropped;
    chain.base = before - std::min(before, chain.dropped);
    for (const std::uint64_t sequence : sequences)
        PICKET_TRY(seal_event(database, sequence, chain));
    PICKET_TRY(erase_fact(database, kDroppedBefore));
    return write_chain(database, chain);
}

EventChain empty_chain(std::uint64_t base) {
    return {.base = base,
            .anchor_sequence = base,
            .anchor_digest = no_digest(),
            .head_sequence = base,
            .head_digest = no_digest()};
}

} // namespace picket::store
