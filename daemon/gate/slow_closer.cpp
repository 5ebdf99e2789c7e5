#include "slow_closer.h"

#include <cstdlib>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"

namespace picket::daemon {
namespace {

constexpr int kStopMs = 3'000;

} // namespace

SlowCloser::~SlowCloser() {
    stop();
}

void SlowCloser::start() {
    thread_ = std::thread([this] { run(); });
}

void SlowCloser::stop() {
    if (!thread_.joinable())
        return;
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    more_.notify_one();
    for (int waited = 0; waited < kStopMs && !ended_; ++waited)
        usleep(1'000);
    if (!ended_) {
        log(LogLevel::error, "a file system does not let a file be closed: ending at once");
        std::_Exit(1);
    }
    thread_.join();
}

bool SlowCloser::take(int fd) noexcept {
    if (slow_.erase(fd) == 0 || !thread_.joinable())
        return false;
    {
        std::lock_guard lock(mutex_);
        waiting_.push_back(fd);
    }
    more_.notify_one();
    return true;
}

void SlowCloser::run() {
    prctl(PR_SET_NAME, "picket-closer");
    for (;;) {
        std::vector<int> now;
        {
            std::unique_lock lock(mutex_);
            more_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
            now.swap(waiting_);
        }
        if (now.empty())
            break;
        for (const int fd : now)
            close(fd);
    }
    ended_ = true;
}

} // namespace picket::daemon
