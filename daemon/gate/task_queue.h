#pragma once
#include <cstdint>
#include <mutex>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <picket/base/check.h>
#include <picket/base/unique_fd.h>

namespace picket::daemon {

/// Work handed from any thread to the one thread that owns a loop: it polls fd() and runs what take() gives.
template <typename Task>
class TaskQueue {
  public:
    TaskQueue() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { PICKET_CHECK(wake_); }

    void post(Task task) {
        {
            std::lock_guard lock(mutex_);
            tasks_.push_back(std::move(task));
        }
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one); // full = it wakes anyway
    }
    std::vector<Task> take() {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
        std::lock_guard lock(mutex_);
        return std::exchange(tasks_, {});
    }
    int fd() const { return wake_.get(); }

  private:
    UniqueFd wake_;
    std::mutex mutex_;
    std::vector<Task> tasks_;
};

} // namespace picket::daemon
