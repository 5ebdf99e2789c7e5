#pragma once
#include <picket/gate/gate.h>

namespace picket::gate {

/// One file on its way through the engine, with everyone who waits for it.
struct Gate::Scan {
    ScanId id = 0;
    Lane lane = Lane::open;
    watch::FileKey key;
    bool stable = false; ///< it may be joined, and its verdict remembered
    bool joinable = false;
    std::vector<HeldOpen> waiters;
    pid_t first_pid = 0;
    uid_t owner = watch::kNobody; ///< in whose turn it is; nobody's: a job
    watch::EventFile file;        ///< once no waiter holds one
    MonotonicTime not_before{};
    MonotonicTime started{};
    WorkerId worker = 0;        ///< 0 = queued
    bool runs_put_away = false; ///< counts in running_put_away_ while a worker has it
    bool remembered = false;    ///< clean, and in the cache
    bool awaiting_digest = false;
    Finding finding;         ///< while awaiting_digest
    std::string definitions; ///< that judged it
    ScanJob job;             ///< lane job

    const watch::EventFile& opened() const { return waiters.empty() ? file : waiters.front().file(); }
    int fd() const { return opened().fd(); }
};

} // namespace picket::gate
