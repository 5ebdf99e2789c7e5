#pragma once
#include <atomic>
#include <functional>
#include <string>

#include <picket/base/clock.h>
#include <picket/store/store.h>

#include "journal_sink.h"
#include "syslog_sink.h"

namespace picket::daemon {

/// The one way of every event: stamped with host, boot and time, stored, then told to the journal, to syslog where the
/// profile wants it, and to the listener (event.follow). Waits for the disk and never for a log. Any thread but the
/// gate's.
class EventLog {
  public:
    struct Ports {
        store::Store& store;
        const Clock& clock;
        std::string host_id;
        std::string root; ///< where the sockets of journal and syslog are below; "" = the running host
    };
    using Listener = std::function<void(const Event&)>;
    explicit EventLog(Ports ports);
    EventLog(const EventLog&) = delete;
    EventLog& operator=(const EventLog&) = delete;

    void record(Event event);
    /// Before the first thread is started.
    void on_event(Listener listener) { listener_ = std::move(listener); }
    /// As in the profile.
    void configure_syslog(std::string_view target, std::string_view facility) { syslog_.configure(target, facility); }

    struct Losses {
        std::uint64_t store = 0; ///< disk full …
        std::uint64_t journal = 0;
        std::uint64_t syslog = 0;
    };
    Losses losses() const { return {lost_.load(std::memory_order_relaxed), journal_.dropped(), syslog_.dropped()}; }

  private:
    Ports ports_;
    const std::string boot_id_;
    const bool writes_lines_; ///< to standard error, where that is not the journal, which has the event already
    Listener listener_;
    JournalSink journal_;
    SyslogSink syslog_;
    std::atomic<std::uint64_t> lost_{0};
};

} // namespace picket::daemon
