#include "group_reader.h"

#include <array>
#include <cstdlib>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gate_filter.h"
#include "log.h"

namespace picket::daemon {
namespace {

constexpr int kStopMs = 3'000;

void signal_fd(const UniqueFd& fd) {
    const std::uint64_t one = 1;
    (void)!write(fd.get(), &one, sizeof one);
}

std::int64_t in_ms(MonotonicTime time) {
    return std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
}

} // namespace

GroupReader::GroupReader(watch::FanotifyGroup group, const Clock& clock)
    : group_(std::move(group)), clock_(clock), ready_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    PICKET_CHECK(ready_ && stop_);
}

GroupReader::~GroupReader() {
    stop();
}

void GroupReader::start() {
    thread_ = std::thread([this] { run(); });
}

void GroupReader::stop() {
    if (!thread_.joinable())
        return;
    stopping_ = true;
    signal_fd(stop_);
    for (int waited = 0; waited < kStopMs && !ended_; ++waited)
        usleep(1'000);
    if (!ended_) {
        log(LogLevel::error, "a file system does not let go of an open: ending at once");
        std::_Exit(1);
    }
    thread_.join();
}

void GroupReader::run() {
    prctl(PR_SET_NAME, "picket-reader");
    confine_gate_thread();
    std::vector<watch::KernelEvent> events;
    while (!stopping_) {
        std::array<pollfd, 2> fds{pollfd{group_.fd(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
        poll(fds.data(), fds.size(), -1);
        if (fds[0].revents != 0)
            read_one(events);
    }
    ended_ = true;
}

/// One at a time: none waits here, already read, for what the next one takes.
void GroupReader::read_one(std::vector<watch::KernelEvent>& events) {
    reading_since_ms_ = in_ms(clock_.monotonic());
    const auto read = group_.read_one_event(events);
    reading_since_ms_ = 0;
    if (!read) // no descriptor was free, or the event could not be opened
        events.push_back({watch::EventKind::overflow, UniqueFd(), 0});
    {
        std::lock_guard lock(mutex_);
        for (watch::KernelEvent& event : events)
            events_.push_back(std::move(event));
    }
    events.clear();
    signal_fd(ready_);
}

std::vector<watch::KernelEvent> GroupReader::take() {
    std::uint64_t count = 0;
    (void)!read(ready_.get(), &count, sizeof count);
    std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
}

Milliseconds GroupReader::reading_for() const {
    const std::int64_t since = reading_since_ms_;
    return since == 0 ? Milliseconds(0) : Milliseconds(in_ms(clock_.monotonic()) - since);
}

} // namespace picket::daemon
