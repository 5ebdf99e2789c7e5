#pragma once
#include <cstdint>
#include <string>
#include <sys/types.h>

#include <picket/model/event.h>
#include <picket/model/verdict.h>
#include <picket/watch/event_file.h>
#include <picket/watch/file_facts.h>

namespace picket::gate {

/// Why an open was answered without a verdict; each is a line of docs/operations.md and a counter.
enum class FailureReason { deadline, no_engine, engine_stopped, engine_crashed, engine_error, overload, unreadable };
inline constexpr std::size_t kFailureReasonCount = 7;
std::string_view to_string(FailureReason reason);

/// What the gate tells the rest of the daemon, after the kernel was answered. Moved through a bounded queue.
struct Outcome {
    enum class Kind {
        detection, ///< a threat, with `file` on it: record it, and quarantine it where `act` says so
        repeated,  ///< a threat known from the cache was met again; no descriptor
        unscanned, ///< the failure policy answered
        events_lost,
        engine_connected,
        engine_lost,
        worker_lost,
    };
    Kind kind = Kind::detection;
    EventOrigin origin = EventOrigin::real_time;
    Finding finding;
    std::string definitions; ///< of a detection: the generation that judged it
    bool denied = false;     ///< the open was refused
    bool would_deny = false; ///< an open was let through because the level is audit; real_time would have refused it
    bool allowed = false;    ///< let through by allowedThreats or an allowance
    bool act = false;        ///< quarantine it
    FailureReason reason = FailureReason::deadline;
    Decision decision = Decision::allow; ///< of an unscanned open
    watch::FileKey key;
    std::string path;
    std::string message;
    pid_t pid = 0;
    watch::EventFile file;
    std::uint64_t scan_job = 0; ///< of an on-demand scan, else 0
};

class OutcomeSink {
  public:
    virtual ~OutcomeSink() = default;
    /// Never blocks; an outcome that does not fit is dropped and counted by the sink.
    virtual void take(Outcome&& outcome) = 0;
    /// Asks for the SHA-256 of `file` to be compared with the allowances; the answer comes by
    /// Gate::on_digest_checked(). False where it cannot be asked: then the threat is no exception.
    virtual bool check_digest(std::uint64_t scan, watch::EventFile file) = 0;
};

struct GateStatistics {
    std::uint64_t events = 0;
    std::uint64_t allowed = 0;
    std::uint64_t denied = 0;
    std::uint64_t would_have_denied = 0; ///< opens let through because the level is audit
    std::uint64_t own = 0;               ///< our own process's opens
    std::uint64_t not_content = 0;
    std::uint64_t excluded = 0;
    std::uint64_t preapproved = 0;
    std::uint64_t cache_hits = 0;
    std::uint64_t restored_hits = 0;        ///< files whose verdict of an earlier process was confirmed
    std::uint64_t old_verdicts = 0;         ///< opens answered by what the definitions before had said
    std::uint64_t ignore_marks = 0;         ///< files about which the kernel was told not to ask any more
    std::uint64_t ignore_marks_dropped = 0; ///< of those, one by one: written to, or changed meanwhile
    std::uint64_t joined = 0;
    std::uint64_t scans = 0;
    std::uint64_t close_writes = 0;
    std::uint64_t close_writes_dropped = 0;
    std::uint64_t lost = 0;
    std::uint64_t unscanned[kFailureReasonCount] = {};
};

} // namespace picket::gate
