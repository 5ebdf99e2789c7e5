#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include <picket/base/descriptor_closer.h>

namespace picket::daemon {

/// Closes, on a thread of its own, event descriptors of file systems behind a server. At their close the kernel waits
/// for the server to flush; a server of one thread may be waiting for the gate's loop at that moment.
class SlowCloser final : public DescriptorCloser {
  public:
    SlowCloser() = default;
    ~SlowCloser() override;
    SlowCloser(const SlowCloser&) = delete;
    SlowCloser& operator=(const SlowCloser&) = delete;

    void start();
    /// Ends the process where the thread cannot be had back.
    void stop();

    /// This one is slow. By the thread that take() is called on.
    void note(int fd) { slow_.insert(fd); }
    bool take(int fd) noexcept override;

  private:
    void run();

    std::unordered_set<int> slow_;
    std::mutex mutex_;
    std::condition_variable more_;
    std::vector<int> waiting_;
    bool stopping_ = false;
    std::atomic<bool> ended_{false};
    std::thread thread_;
};

} // namespace picket::daemon
