#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include <picket/profile/policy.h>
#include <picket/store/store.h>

#include "allowances.h"
#include "brake.h"
#include "event_log.h"
#include "gate_loop.h"
#include "outcome_queue.h"
#include "package_guard.h"
#include "policy_keeper.h"
#include "remedy_client.h"
#include "selftests.h"

namespace picket::daemon {

/// Everything that happens after the kernel was answered: the digest, the record, the quarantine, the log. One thread
/// of its own, so that a slow disk or journal delays records and never an open.
class Aftermath {
  public:
    struct Ports {
        OutcomeQueue& outcomes;
        GateLoop& gate;
        store::Store& store;
        EventLog& events;
        Allowances& allowances;
        const RemedyClient& remedy;
        SelfTests& selftests;
        const PolicyKeeper& policy;
        Brake& brake;
        PackageGuard& packages;
        const Clock& clock;
        std::string own_definitions; ///< the folder, with a slash at its end
    };
    explicit Aftermath(Ports ports) : ports_(ports) {}
    ~Aftermath() { stop(); }
    Aftermath(const Aftermath&) = delete;
    Aftermath& operator=(const Aftermath&) = delete;

    void start();
    void stop();

    /// Any thread.
    void record(Event event) { ports_.events.record(std::move(event)); }
    /// A scan's findings are told to its watcher as they come. Any thread may set it before start().
    using FindingListener = std::function<void(std::uint64_t job, const std::string& path, const std::string& threat,
                                               const std::string& action)>;
    void on_scan_finding(FindingListener listener) { scan_listener_ = std::move(listener); }
    /// Outcomes that no record was made of (no memory …), for health.
    std::uint64_t lost_records() const { return lost_records_.load(); }

  private:
    void run();
    void handle(AftermathItem&& item);
    void answer_digest_question(AftermathItem&& item);
    void on_detection(gate::Outcome&& outcome);
    void on_repeated(const gate::Outcome& outcome);
    void on_unscanned(const gate::Outcome& outcome);
    void on_system(const gate::Outcome& outcome);
    /// Gives the word for what was done: quarantined, quarantine_failed, blocked …
    std::string quarantine(const gate::Outcome& outcome, const Event& found);
    /// Why the file is denied and not moved (package_file, own_definitions, brake), with more for people; nothing where
    /// it is moved.
    struct Refusal {
        std::string reason;
        std::string message;
    };
    bool is_own_definitions(const gate::Outcome& outcome) const;
    std::optional<Refusal> refusal_of(const gate::Outcome& outcome);
    std::string leave(const Refusal& refusal, const Event& found);
    std::string process_of(pid_t pid) const;
    bool is_due(const std::string& what, std::chrono::seconds every);

    Ports ports_;
    FindingListener scan_listener_;
    std::atomic<std::uint64_t> lost_records_{0};
    std::map<std::string, MonotonicTime> last_;
    gate::GateStatistics told_; ///< what the last open.*_unscanned events have counted
    std::thread thread_;
};

} // namespace picket::daemon
