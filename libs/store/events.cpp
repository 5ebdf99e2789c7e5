#include <picket/store/store.h>

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "impl.h"

namespace picket::store {
namespace {

constexpr std::string_view kOldest = "SELECT count(*), coalesce(max(sequence), 0), coalesce(sum(sequence > ?), 0)"
                                     " FROM (SELECT sequence FROM events ORDER BY sequence LIMIT ?)";

Result<void> insert(const Database& database, const Event& event, std::uint64_t sequence) {
    auto statement = PICKET_TRY(database.prepare(fmt::format(
        "INSERT INTO events ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kRecordColumns)));
    statement.bind(sequence).bind_text(event.host_id).bind(to_stored(event.time)).bind_text(event.boot_id);
    statement.bind(event.monotonic_ms).bind_text(to_string(event.type)).bind_text(to_string(event.origin));
    statement.bind_bytes(event.path).bind_text(event.threat_name).bind_text(event.sha256);
    statement.bind_text(event.threat_id).bind_text(event.scan_id).bind_text(event.reason).bind_bytes(event.message);
    statement.bind(event.count).bind(std::int64_t{event.pid}).bind_bytes(event.process).bind(event.uid);
    return statement.run();
}

/// The next number, also where somebody has put rows behind the head: an event must never be refused for that.
Result<std::uint64_t> next_sequence(const Database& database, const EventChain& chain) {
    auto newest = PICKET_TRY(database.prepare("SELECT coalesce(max(sequence), 0) FROM events"));
    PICKET_TRY(newest.step());
    return std::max(newest.count(0), chain.head_sequence) + 1;
}

/// Nothing where a word is not one that this build knows.
std::optional<Event> read_event(const Database::Statement& row) {
    const auto type = event_type_from(row.bytes(5));
    const auto origin = event_origin_from(row.bytes(6));
    if (!type || !origin)
        return std::nullopt;
    Event event;
    event.sequence = row.count(0);
    event.host_id = row.bytes(1);
    event.time = from_stored(row.integer(2));
    event.boot_id = row.bytes(3);
    event.monotonic_ms = row.count(4);
    event.type = *type;
    event.origin = *origin;
    event.path = row.bytes(7);
    event.threat_name = row.bytes(8);
    event.sha256 = row.bytes(9);
    event.threat_id = row.bytes(10);
    event.scan_id = row.bytes(11);
    event.reason = row.bytes(12);
    event.message = row.bytes(13);
    event.count = row.count(14);
    event.pid = static_cast<pid_t>(row.integer(15));
    event.process = row.bytes(16);
    event.uid = row.integer(17);
    event.digest = to_hex(as_bytes(row.bytes(kDigestColumn)));
    return event;
}

/// The chain then hangs on the newest that went. Gives how many went.
Result<std::uint64_t> drop_oldest(const Database& database, std::uint64_t number, EventChain& chain) {
    auto oldest = PICKET_TRY(database.prepare(kOldest));
    PICKET_TRY(oldest.bind(chain.acknowledged).bind(number).step());
    const std::uint64_t count = oldest.count(0);
    const std::uint64_t last = oldest.count(1);
    chain.dropped += count;
    chain.dropped_unacknowledged += oldest.count(2);
    auto anchor = PICKET_TRY(database.prepare("SELECT digest FROM events WHERE sequence = ?"));
    PICKET_TRY(anchor.bind(last).step());
    chain.anchor_sequence = last;
    chain.anchor_digest = anchor.bytes(0);
    auto remove = PICKET_TRY(database.prepare("DELETE FROM events WHERE sequence <= ?"));
    PICKET_TRY(remove.bind(last).run());
    return count;
}

} // namespace

Result<AppendedEvent> Store::append_event(const Event& event) {
    const std::lock_guard lock(impl_->mutex);
    const Database& database = impl_->database;
    Transaction transaction = PICKET_TRY(Transaction::begin(database));
    EventChain chain = impl_->chain;
    const std::uint64_t sequence = PICKET_TRY(next_sequence(database, chain));
    PICKET_TRY(insert(database, event, sequence));
    PICKET_TRY(seal_event(database, sequence, chain));
    const std::string digest = chain.head_digest;
    std::uint64_t count = impl_->event_count + 1;
    if (count > impl_->limits.maximum_events)
        count -= PICKET_TRY(drop_oldest(database, count - impl_->limits.maximum_events, chain));
    PICKET_TRY(write_chain(database, chain));
    PICKET_TRY(transaction.commit());
    impl_->chain = chain;
    impl_->event_count = count;
    return AppendedEvent{sequence, to_hex(as_bytes(digest))};
}

Result<std::vector<Event>> Store::events(const EventQuery& query) const {
    const std::lock_guard lock(impl_->mutex);
    const std::string_view type = query.type ? to_string(*query.type) : "";
    auto statement = PICKET_TRY(impl_->database.prepare(fmt::format(
        "SELECT {}, digest FROM events WHERE sequence > ? AND (? = '' OR type = ?) ORDER BY sequence DESC LIMIT ?",
        kRecordColumns)));
    const std::uint64_t after = std::min<std::uint64_t>(query.after_sequence, INT64_MAX);
    statement.bind(after).bind_text(type).bind_text(type).bind(to_limit(query.limit));
    std::vector<Event> found;
    while (PICKET_TRY(statement.step()))
        if (auto event = read_event(statement))
            found.push_back(std::move(*event));
    std::reverse(found.begin(), found.end());
    return found;
}

std::uint64_t Store::last_sequence() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->chain.head_sequence;
}

DroppedEvents Store::dropped_events() const {
    const std::lock_guard lock(impl_->mutex);
    return {impl_->chain.dropped, impl_->chain.dropped_unacknowledged};
}

Result<void> Store::acknowledge(std::uint64_t sequence) {
    const std::lock_guard lock(impl_->mutex);
    EventChain chain = impl_->chain;
    if (sequence > chain.head_sequence)
        return Error(ErrorCode::invalid_input, fmt::format("there is no event {} yet", sequence));
    if (sequence <= chain.acknowledged)
        return {};
    chain.acknowledged = sequence;
    PICKET_TRY(write_chain(impl_->database, chain));
    impl_->chain = chain;
    return {};
}

std::uint64_t Store::acknowledged() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->chain.acknowledged;
}

} // namespace picket::store
