#pragma once
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include <picket/base/bounded_queue.h>
#include <picket/gate/outcome.h>
#include <picket/store/store.h>

#include "brake.h"
#include "event_log.h"
#include "package_guard.h"
#include "policy_keeper.h"
#include "remedy_client.h"
#include "selftests.h"

namespace picket::daemon {

/// Has picket-remedy take away what was found, unless it is to stay. One thread of its own: however long the remedy
/// takes, no record waits for it.
class Remediation {
  public:
    struct Ports {
        store::Store& store;
        EventLog& events;
        const RemedyClient& remedy;
        SelfTests& selftests;
        const PolicyKeeper& policy;
        Brake& brake;
        PackageGuard& packages;
        std::string own_definitions; ///< the folder, with a slash at its end
    };
    explicit Remediation(Ports ports) : ports_(std::move(ports)) {}
    ~Remediation() { stop(); }
    Remediation(const Remediation&) = delete;
    Remediation& operator=(const Remediation&) = delete;

    void start();
    /// What is queued is done first.
    void stop();

    struct Order {
        gate::Outcome outcome; ///< with its file
        Event found;           ///< what was recorded of it
    };
    /// Never waits. Where too much waits already the file stays, denied, and an event says so.
    void take(Order order);

    /// A scan's findings are told to its watcher as they come. To be set before start().
    using FindingListener = std::function<void(std::uint64_t job, const std::string& path, const std::string& threat,
                                               const std::string& action)>;
    void on_scan_finding(FindingListener listener) { listener_ = std::move(listener); }
    void tell(const gate::Outcome& outcome, const Event& found, const std::string& action) const;

  private:
    void run();
    void handle(const Order& order);
    /// Gives the word for what was done: quarantined, quarantine_failed, blocked …
    std::string quarantine(const gate::Outcome& outcome, const Event& found);
    std::string failed(const gate::Outcome& outcome, const Event& found, const std::string& reason,
                       const std::string& message);
    /// Why the file is denied and not moved (package_file, own_definitions, brake), with more for people; nothing where
    /// it is moved.
    struct Refusal {
        std::string reason;
        std::string message;
    };
    bool is_own_definitions(const gate::Outcome& outcome) const;
    std::optional<Refusal> refusal_of(const gate::Outcome& outcome);
    std::string leave(const Refusal& refusal, const Event& found);

    static constexpr std::size_t kCapacity = 1'024; ///< each holds a descriptor

    Ports ports_;
    FindingListener listener_;
    BoundedQueue<Order> queue_{kCapacity};
    std::thread thread_;
};

} // namespace picket::daemon
