#pragma once
#include <atomic>

#include <picket/base/bounded_queue.h>
#include <picket/gate/outcome.h>

namespace picket::daemon {

/// What the aftermath works on: an outcome, or the question whether a digest is allowed.
struct AftermathItem {
    gate::Outcome outcome;
    std::uint64_t digest_question = 0; ///< scan id; the file is outcome.file
};

/// From the gate's thread to the aftermath's. Never blocks; what does not fit is counted.
class OutcomeQueue final : public gate::OutcomeSink {
  public:
    void take(gate::Outcome&& outcome) override {
        if (!queue_.push({std::move(outcome), 0}))
            dropped_.fetch_add(1, std::memory_order_relaxed);
    }
    bool check_digest(std::uint64_t scan, watch::EventFile file) override {
        AftermathItem item;
        item.digest_question = scan;
        item.outcome.file = std::move(file);
        return queue_.push(std::move(item));
    }
    std::optional<AftermathItem> pop() { return queue_.pop(); }
    void close() { queue_.close(); }
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  private:
    static constexpr std::size_t kCapacity = 1'024; ///< each may hold a descriptor
    BoundedQueue<AftermathItem> queue_{kCapacity};
    std::atomic<std::uint64_t> dropped_{0};
};

} // namespace picket::daemon
