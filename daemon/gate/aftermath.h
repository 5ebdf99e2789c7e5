#pragma once
#include <map>
#include <mutex>
#include <thread>

#include <picket/store/store.h>

#include "allowances.h"
#include "brake.h"
#include "errands.h"
#include "event_log.h"
#include "gate_loop.h"
#include "outcome_queue.h"
#include "remediation.h"
#include "selftests.h"

namespace picket::daemon {

/// What happens after the kernel was answered: the digest, the record, the log; what is to be taken away is handed on
/// to the remediation. One thread of its own, so that a slow disk or journal delays records and never an open.
class Aftermath {
  public:
    struct Ports {
        OutcomeQueue& outcomes;
        GateLoop& gate;
        store::Store& store;
        EventLog& events;
        Allowances& allowances;
        SelfTests& selftests;
        Brake& brake;
        Remediation& remediation;
        const Errands& errands;
        const Clock& clock;
    };
    explicit Aftermath(Ports ports) : ports_(ports) {}
    ~Aftermath() { stop(); }
    Aftermath(const Aftermath&) = delete;
    Aftermath& operator=(const Aftermath&) = delete;

    void start();
    void stop();

    /// Any thread.
    void record(Event event) { ports_.events.record(std::move(event)); }
    /// Outcomes that no record was made of (no memory …), for health.
    std::uint64_t lost_records() const { return lost_records_.load(); }

  private:
    void run();
    void handle(AftermathItem&& item);
    void answer_digest_question(const AftermathItem& item);
    std::string sha256_of(const watch::EventFile& file);
    void on_detection(gate::Outcome&& outcome);
    void on_repeated(const gate::Outcome& outcome);
    void on_unscanned(const gate::Outcome& outcome);
    void on_system(const gate::Outcome& outcome);
    std::string process_of(pid_t pid) const;
    bool is_due(const std::string& what, std::chrono::seconds every);

    Ports ports_;
    std::atomic<std::uint64_t> lost_records_{0};
    std::map<std::string, MonotonicTime> last_;
    std::map<std::uint64_t, MonotonicTime> silent_; ///< file systems whose server did not answer, by device: until then
    gate::GateStatistics told_;                     ///< what the last open.*_unscanned events have counted
    std::thread thread_;
};

} // namespace picket::daemon
