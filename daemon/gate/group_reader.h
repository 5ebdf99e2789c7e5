#pragma once
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <picket/base/clock.h>
#include <picket/watch/fanotify_group.h>

namespace picket::daemon {

/// Takes events off a group of its own, for file systems whose files the kernel opens by opening something else: the
/// layers of an overlay, or whatever a FUSE or network server opens to serve. That happens inside read(), and the open
/// behind it asks a question of its own. Whoever is to answer that one must not be the one that waits in read(), or the
/// gate waits for itself. So these are read here, and answered by the gate's loop.
class GroupReader {
  public:
    GroupReader(watch::FanotifyGroup group, const Clock& clock);
    ~GroupReader();
    GroupReader(const GroupReader&) = delete;
    GroupReader& operator=(const GroupReader&) = delete;

    void start();
    /// Ends the process where the thread cannot be had back: the kernel then lets every opener go.
    void stop();

    /// Readable when take() gives something.
    int fd() const { return ready_.get(); }
    std::vector<watch::KernelEvent> take();
    /// Since when the thread has been inside one read(); 0 where it is not.
    Milliseconds reading_for() const;
    watch::FanotifyGroup& group() { return group_; }

  private:
    void run();
    void read_one(std::vector<watch::KernelEvent>& events);

    watch::FanotifyGroup group_;
    const Clock& clock_;
    UniqueFd ready_;
    UniqueFd stop_;
    std::atomic<std::int64_t> reading_since_ms_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> ended_{false};
    std::mutex mutex_;
    std::vector<watch::KernelEvent> events_;
    std::thread thread_;
};

} // namespace picket::daemon
