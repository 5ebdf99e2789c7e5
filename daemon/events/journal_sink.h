#pragma once
#include <atomic>
#include <string>

#include "datagram_sender.h"
#include "event_text.h"

namespace picket::daemon {

/// An event in the journal's native protocol: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, and PICKET_… for each field.
/// Values are carried byte for byte, whatever is in them.
std::string journal_entry(const Event& event);

/// Hands events to systemd-journald, fields and all. Never blocks: what it does not take at once is dropped and
/// counted; where there is no journal nothing is lost. Thread-safe.
class JournalSink {
  public:
    static constexpr const char* kSocket = "/run/systemd/journal/socket";
    explicit JournalSink(std::string socket) : sender_(std::move(socket)) {}
    void send(const Event& event);
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  private:
    DatagramSender sender_;
    std::atomic<std::uint64_t> dropped_{0};
};

} // namespace picket::daemon
