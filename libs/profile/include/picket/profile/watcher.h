#pragma once
#include <memory>

#include <picket/base/result.h>
#include <picket/sys/file.h>

namespace picket::profile {

/// Tells when managed.d or settings.json changed: by inotify, and by a look at the files once a second for what inotify
/// does not show (a folder that came later, a full queue). A change is told once nothing has moved for 200 ms, at most
/// 2 s after its beginning, so that a set that is being copied counts as a whole. For one thread; `root` must outlive
/// it.
class Watcher {
  public:
    /// Works without inotify too (by looking alone); an Error only where no descriptor is to be had.
    static Result<std::unique_ptr<Watcher>> create(const sys::Root& root);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    /// Readable when on_readable() has work; for poll or epoll.
    int fd() const;
    /// Never waits. True: a change has settled, load the profile now.
    bool on_readable();

  private:
    struct Impl;
    explicit Watcher(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace picket::profile
