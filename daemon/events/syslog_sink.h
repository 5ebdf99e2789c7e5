#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "datagram_sender.h"
#include "event_text.h"

namespace picket::daemon {

/// Who speaks, in a syslog message.
struct SyslogOrigin {
    int facility = 3; ///< its number; 3 = daemon
    std::string host_name;
    pid_t pid = 0;
};
/// An event as RFC 5424 has it, with every field as structured data. Valid UTF-8, one line, at most 8,000 bytes, which
/// receivers take with their defaults. Bytes that do not show come escaped, and whole in a parameter NAME_b64; what
/// does not fit is left out, and the parameter truncated says so.
std::string syslog_message(const Event& event, const SyslogOrigin& origin);
/// The number behind daemon, auth, local0 …; that of daemon for any other word.
int syslog_facility(std::string_view name);

/// Hands events to the host's syslog daemon, where the profile names one. Never blocks: what is not taken at once is
/// dropped and counted. Thread-safe.
class SyslogSink {
  public:
    /// Names in `target` are below `root` ("" = the running host).
    explicit SyslogSink(std::string root);
    /// `target` as in the profile: "" or unix:/PATH.
    void configure(std::string_view target, std::string_view facility);
    void send(const Event& event);
    std::uint64_t dropped() const;

  private:
    const std::string root_;
    mutable std::mutex mutex_;
    std::unique_ptr<DatagramSender> sender_;
    SyslogOrigin origin_;
    std::uint64_t dropped_ = 0;
};

} // namespace picket::daemon
