#include <picket/install/transaction.h>

#include <fmt/format.h>

namespace picket::install {
namespace {

InstallerExit failure_exit(const Journal& journal) {
    const bool takes_away = journal.verb == "uninstall" || journal.verb == "os-upgrade prepare";
    return takes_away ? InstallerExit::uninstallation_failed : InstallerExit::installation_failed;
}

} // namespace

bool Transaction::stop_heard(const Journal& journal) const {
    return stop_.load() && (journal.recovery == Recovery::undo || !journal.only_verification_left());
}

std::optional<Failure> Transaction::run_step(Journal& journal, std::size_t index, bool& keep) {
    JournalStep& entry = journal.steps[index];
    const auto prepared = executor_.prepare(entry.step);
    if (!prepared) {
        auto failure = failure_from(failure_exit(journal), prepared.error().with_context(entry.step.title));
        entry.undo_record = nullptr; // nothing was begun: there is nothing to undo
        entry.status = StepStatus::failed;
        entry.detail = failure.message;
        return failure;
    }
    entry.undo_record = *prepared;
    entry.status = StepStatus::running;
    if (const auto saved = store_.save(journal); !saved)
        return failure_from(failure_exit(journal), saved.error().with_context("writing the journal"));

    progress_.began(entry.step, index + 1, journal.steps.size());
    const MonotonicTime started = clock_.monotonic();
    StepOutcome outcome = executor_.apply(entry.step, entry.undo_record);
    entry.duration_ms = std::chrono::duration_cast<Milliseconds>(clock_.monotonic() - started).count();
    entry.detail = outcome.failure ? outcome.failure->message : outcome.detail;
    entry.status = outcome.failure ? StepStatus::failed : StepStatus::done;
    keep = outcome.keep;
    progress_.ended(entry, index + 1, journal.steps.size());
    if (const auto saved = store_.save(journal); !saved && !outcome.failure)
        return failure_from(failure_exit(journal), saved.error().with_context("writing the journal"));
    return outcome.failure;
}

TransactionEnd Transaction::run(Journal& journal) {
    TransactionEnd end{.stands = true};
    for (std::size_t i = 0; i < journal.steps.size(); ++i) {
        const StepStatus status = journal.steps[i].status;
        if (status == StepStatus::done || status == StepStatus::skipped)
            continue;
        if (stop_heard(journal))
            return give_up(journal, Failure{InstallerExit::interrupted, "stopped by a signal", ""});
        bool keep = false;
        auto failure = run_step(journal, i, keep);
        if (failure && !keep)
            return give_up(journal, std::move(*failure));
        if (failure)
            end.failure = std::move(failure);
    }
    if (stop_heard(journal))
        return give_up(journal, Failure{InstallerExit::interrupted, "stopped by a signal", ""});
    if (const auto cleared = store_.clear(); !cleared && !end.failure)
        end.failure = failure_from(InstallerExit::internal, cleared.error());
    return end;
}

TransactionEnd Transaction::give_up(Journal& journal, Failure failure) {
    const auto undo_failure = undo_all(journal);
    if (undo_failure) {
        failure.message += "; and undoing it failed: " + undo_failure->message;
        failure.fix = "Remove the cause that is named, then run picket-installer again: it goes on undoing first.";
    }
    return TransactionEnd{.stands = false, .failure = std::move(failure)};
}

std::optional<Failure> Transaction::undo_all(Journal& journal) {
    std::optional<Failure> first_failure;
    journal.undoing = true;
    for (std::size_t left = journal.steps.size(); left > 0; --left) {
        JournalStep& entry = journal.steps[left - 1];
        const bool never_begun = entry.status == StepStatus::failed && entry.undo_record.is_null();
        if (entry.status == StepStatus::pending || entry.status == StepStatus::undone ||
            entry.status == StepStatus::skipped || never_begun)
            continue;
        const bool had_failed = entry.status == StepStatus::failed;
        entry.status = StepStatus::undoing;
        // A full disk must not keep us from undoing: an unsaved mark only means that undo is repeated.
        (void)store_.save(journal);
        const auto undone = executor_.undo(entry.step, entry.undo_record);
        if (!undone) {
            if (!first_failure)
                first_failure = failure_from(failure_exit(journal), undone.error().with_context(entry.step.title));
            continue;
        }
        entry.status = had_failed ? StepStatus::failed : StepStatus::undone;
        progress_.ended(entry, left, journal.steps.size());
        (void)store_.save(journal);
    }
    if (first_failure)
        return first_failure;
    if (const auto cleared = store_.clear(); !cleared)
        return failure_from(InstallerExit::internal, cleared.error());
    return std::nullopt;
}

TransactionEnd Transaction::recover(Journal& journal) {
    const bool finish = !journal.undoing && (journal.recovery == Recovery::finish || journal.only_verification_left());
    progress_.note(fmt::format("An earlier run ({}, {}) was cut off: {} it.", journal.verb, journal.started,
                               finish ? "finishing" : "undoing"));
    if (finish)
        return run(journal);
    return TransactionEnd{.stands = false, .failure = undo_all(journal)};
}

} // namespace picket::install
