#pragma once
#include <string>
#include <sys/types.h>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::supervisor {

/// What a child has said since the last look.
struct Notice {
    bool ready = false;
    bool alive = false; ///< WATCHDOG=1
};

/// The service manager's end of sd_notify(3), one socket for each child: who wrote is known by where it came in.
class NotifySocket {
  public:
    /// Binds `path` anew, 0600 of `owner`.
    static Result<NotifySocket> open(const std::string& path, uid_t owner, gid_t group);
    NotifySocket(NotifySocket&&) = default;
    NotifySocket& operator=(NotifySocket&&) = default;
    ~NotifySocket();

    Notice take() const; ///< never blocks; at most 64 messages a call
    int fd() const { return fd_.get(); }
    const std::string& path() const { return path_; }

  private:
    NotifySocket(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    UniqueFd fd_;
    std::string path_;
};

} // namespace picket::supervisor
