#include <picket/store/store.h>

#include <algorithm>

#include <fmt/format.h>

#include "chain.h"
#include "impl.h"

namespace picket::store {
namespace {

std::string range_text(std::uint64_t first, std::uint64_t last) {
    return first == last ? fmt::format("event {} is missing", first)
                         : fmt::format("events {} to {} are missing", first, last);
}

EventFault missing(std::uint64_t first, std::uint64_t last) {
    return {first, "missing", range_text(first, last)};
}

/// Follows the events from the anchor on; stops at the first that does not fit.
class ChainWalk {
  public:
    explicit ChainWalk(const EventChain& chain)
        : chain_(chain), sequence_(chain.anchor_sequence), digest_(chain.anchor_digest) {}

    std::optional<EventFault> check_counts() const {
        const std::uint64_t gone = chain_.anchor_sequence - std::min(chain_.base, chain_.anchor_sequence);
        if (gone == chain_.dropped)
            return std::nullopt;
        return EventFault{
            chain_.anchor_sequence, "count",
            fmt::format("{} events are gone before the oldest one, and {} were dropped", gone, chain_.dropped)};
    }

    std::optional<EventFault> take(const Database::Statement& row) {
        const std::uint64_t sequence = row.count(0);
        if (sequence <= sequence_)
            return EventFault{sequence, "added", fmt::format("event {} is of those that were dropped", sequence)};
        if (sequence != sequence_ + 1)
            return missing(sequence_ + 1, sequence - 1);
        if (sequence > chain_.head_sequence)
            return EventFault{sequence, "added", fmt::format("event {} is newer than the newest one", sequence)};
        const std::string digest = row.bytes(kDigestColumn);
        if (digest != digest_of(row, digest_))
            return EventFault{sequence, "changed", fmt::format("event {} is not as it was recorded", sequence)};
        sequence_ = sequence;
        digest_ = digest;
        ++checked_;
        return std::nullopt;
    }

    std::optional<EventFault> check_end() const {
        if (sequence_ < chain_.head_sequence)
            return missing(sequence_ + 1, chain_.head_sequence);
        if (digest_ != chain_.head_digest)
            return EventFault{sequence_, "changed", fmt::format("event {} is not the newest one recorded", sequence_)};
        return std::nullopt;
    }

    std::uint64_t checked() const { return checked_; }
    std::uint64_t last() const { return sequence_; }

  private:
    const EventChain& chain_;
    std::uint64_t sequence_;
    std::string digest_;
    std::uint64_t checked_ = 0;
};

std::optional<EventFault> chain_fault(const std::optional<EventChain>& chain) {
    if (!chain)
        return EventFault{0, "chain", "the record of the newest and the oldest event is gone"};
    if (chain->rebuilt_after > 0 && chain->rebuilt_after >= chain->anchor_sequence)
        return EventFault{
            chain->rebuilt_after, "chain",
            fmt::format("the record of the newest and the oldest event was gone after event {}", chain->rebuilt_after)};
    return std::nullopt;
}

Result<std::optional<EventFault>> walk(const Database& database, ChainWalk& walk) {
    if (auto fault = walk.check_counts())
        return fault;
    auto rows =
        PICKET_TRY(database.prepare(fmt::format("SELECT {}, digest FROM events ORDER BY sequence", kRecordColumns)));
    while (PICKET_TRY(rows.step()))
        if (auto fault = walk.take(rows))
            return fault;
    return walk.check_end();
}

} // namespace

Result<EventCheck> Store::verify_events() const {
    // A connection and a snapshot of its own: appending goes on meanwhile.
    const Database database = PICKET_TRY(Database::open(impl_->path));
    PICKET_TRY(database.execute("BEGIN"));
    const auto chain = PICKET_TRY(read_chain(database));
    EventCheck check;
    check.fault = chain_fault(chain);
    if (check.fault)
        return check;
    ChainWalk events(*chain);
    check.fault = PICKET_TRY(walk(database, events));
    check.first = chain->anchor_sequence + 1;
    check.last = events.last();
    check.checked = events.checked();
    return check;
}

} // namespace picket::store
