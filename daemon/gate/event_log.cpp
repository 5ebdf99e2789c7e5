#include "event_log.h"

#include <picket/base/text.h>
#include <picket/sys/file.h>

#include "log.h"

namespace picket::daemon {
namespace {

std::string read_boot_id() {
    const auto text = sys::read_kernel_file("/proc/sys/kernel/random/boot_id", kibibytes(1));
    return text ? std::string(trim(*text)) : "";
}

} // namespace

EventLog::EventLog(Ports ports)
    : ports_(std::move(ports)), boot_id_(read_boot_id()), writes_lines_(!log_is_journal()),
      journal_(ports_.root + JournalSink::kSocket), syslog_(ports_.root) {}

void EventLog::record(Event event) {
    event.host_id = ports_.host_id;
    event.boot_id = boot_id_;
    // As precise as it is shown: whoever has the shown event can compute its digest.
    event.time = std::chrono::floor<Milliseconds>(ports_.clock.wall());
    event.monotonic_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<Milliseconds>(ports_.clock.monotonic().time_since_epoch()).count());
    if (const auto stored = ports_.store.append_event(event)) {
        event.sequence = stored->sequence;
        event.digest = stored->digest;
    } else {
        ++lost_;
        log(LogLevel::error, "state.db: " + stored.error().message());
    }
    journal_.send(event);
    syslog_.send(event);
    if (writes_lines_)
        log(static_cast<LogLevel>(severity_of(event)), describe(event));
    if (listener_)
        listener_(event);
}

} // namespace picket::daemon
