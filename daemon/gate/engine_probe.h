#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <picket/base/clock.h>
#include <picket/model/verdict.h>

#include "gate_loop.h"
#include "scan_manager.h"

namespace picket::daemon {

/// Proves that the engine tells bad from good: every kProbeEvery it gets the harmless test pattern and a clean text,
/// both from memory, through the same lane as any scan. on_tick() on the main thread, failure() on any.
class EngineProbe {
  public:
    EngineProbe(const GateLoop& gate, ScanManager& scans, const Clock& clock)
        : gate_(gate), scans_(scans), clock_(clock) {}

    /// About once a second.
    void on_tick();
    /// Why the engine cannot be trusted now; nothing where it can, or where nothing was asked yet.
    std::optional<std::string> failure() const;

  private:
    static constexpr std::chrono::seconds kProbeEvery{20};
    static constexpr std::chrono::seconds kAnswerWithin{25}; ///< files that other scans began come first

    struct Round {
        std::mutex mutex;
        std::optional<Verdict> bad;
        std::optional<Verdict> good;
    };
    void judge(MonotonicTime now);
    void begin(MonotonicTime now);
    void ask(std::string_view content, std::optional<Verdict> Round::*answer);

    const GateLoop& gate_;
    ScanManager& scans_;
    const Clock& clock_;
    std::shared_ptr<Round> round_; ///< null while none is under way
    MonotonicTime began_{};
    MonotonicTime next_{};
    mutable std::mutex mutex_;
    std::optional<std::string> failure_;
};

} // namespace picket::daemon
