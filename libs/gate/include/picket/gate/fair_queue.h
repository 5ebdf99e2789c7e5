#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <sys/types.h>
#include <utility>

namespace picket::gate {

/// What waits for a worker, of several users: each user's in the order in which they came, the users in turn. So
/// whoever asks for thousands waits for himself, and the others for one of his at most.
class FairQueue {
  public:
    using Item = std::uint64_t;

    void push_back(uid_t owner, Item item) { of(owner).push_back(item); }
    /// Next of that user, who is next.
    void push_front(uid_t owner, Item item) {
        auto turn = find(owner);
        Turn mine{owner, {}};
        if (turn != turns_.end()) {
            mine = std::move(*turn);
            turns_.erase(turn);
        }
        mine.items.push_front(item);
        turns_.push_front(std::move(mine));
    }
    void erase(uid_t owner, Item item) {
        const auto turn = find(owner);
        if (turn == turns_.end())
            return;
        std::erase(turn->items, item);
        if (turn->items.empty())
            turns_.erase(turn);
    }
    /// The next in turn of those for which `may` holds: what may not go yet does not hold up what came after it.
    template <typename May>
    std::optional<Item> take(May&& may) {
        for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
            const auto found = std::find_if(turn->items.begin(), turn->items.end(), may);
            if (found == turn->items.end())
                continue;
            const Item item = *found;
            turn->items.erase(found);
            Turn taken = std::move(*turn);
            turns_.erase(turn);
            if (!taken.items.empty())
                turns_.push_back(std::move(taken));
            return item;
        }
        return std::nullopt;
    }
    bool empty() const { return turns_.empty(); }
    std::size_t size() const {
        std::size_t all = 0;
        for (const Turn& turn : turns_)
            all += turn.items.size();
        return all;
    }
    std::size_t size_of(uid_t owner) const {
        for (const Turn& turn : turns_)
            if (turn.owner == owner)
                return turn.items.size();
        return 0;
    }
    /// The oldest of whoever has most here. Not where it is empty.
    Item oldest_of_most() const {
        return std::max_element(turns_.begin(), turns_.end(),
                                [](const Turn& a, const Turn& b) { return a.items.size() < b.items.size(); })
            ->items.front();
    }

  private:
    struct Turn {
        uid_t owner;
        std::deque<Item> items; ///< never empty
    };
    std::deque<Turn>::iterator find(uid_t owner) {
        return std::find_if(turns_.begin(), turns_.end(), [owner](const Turn& turn) { return turn.owner == owner; });
    }
    std::deque<Item>& of(uid_t owner) {
        const auto turn = find(owner);
        return turn != turns_.end() ? turn->items : turns_.emplace_back(Turn{owner, {}}).items;
    }
    std::deque<Turn> turns_; ///< the front is next
};

} // namespace picket::gate
