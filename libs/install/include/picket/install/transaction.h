#pragma once
#include <atomic>
#include <optional>

#include <picket/base/clock.h>
#include <picket/install/journal.h>

namespace picket::install {

/// Told of each step as it begins and ends; for progress lines and the log.
class ProgressSink {
  public:
    virtual ~ProgressSink() = default;
    virtual void began(const Step& step, std::size_t number, std::size_t total) = 0;
    virtual void ended(const JournalStep& step, std::size_t number, std::size_t total) = 0;
    virtual void note(const std::string& text) = 0;
};

/// How a transaction ended. `failure` may be set although everything stayed (a self-test that failed).
struct TransactionEnd {
    bool stands = false; ///< the steps are in force (else they were undone)
    std::optional<Failure> failure;
};

/// Runs the steps of a journal in order, saving before and after each; a failure or a stop request undoes what was
/// done, in reverse. One thread.
class Transaction {
  public:
    Transaction(JournalStore& store, StepExecutor& executor, ProgressSink& progress, const Clock& clock,
                const std::atomic<bool>& stop_requested)
        : store_(store), executor_(executor), progress_(progress), clock_(clock), stop_(stop_requested) {}

    /// From the first step that is not done. The journal is cleared at the end, unless undoing failed.
    TransactionEnd run(Journal& journal);
    /// What a killed run left: finishes or undoes it, by the rule of Recovery.
    TransactionEnd recover(Journal& journal);

  private:
    bool stop_heard(const Journal& journal) const;
    std::optional<Failure> run_step(Journal& journal, std::size_t index, bool& keep);
    std::optional<Failure> undo_all(Journal& journal);
    TransactionEnd give_up(Journal& journal, Failure failure);

    JournalStore& store_;
    StepExecutor& executor_;
    ProgressSink& progress_;
    const Clock& clock_;
    const std::atomic<bool>& stop_;
};

} // namespace picket::install
