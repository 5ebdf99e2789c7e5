#pragma once
#include <utility>

#include <picket/base/unique_fd.h>

namespace picket::ipc {

/// A socket that may hold messages with others' files. Who closes the last descriptor of one closes what lies in it,
/// and that may wait for a file's server for good: fuse_release() writes what is dirty back. So a process that must not
/// wait has a disposer, which gives the socket to somebody else.
class FileSocket {
  public:
    using Disposer = void (*)(UniqueFd socket);
    /// For the whole process; null, as at the start, where it may wait itself. Must not block; any thread.
    static void set_disposer(Disposer disposer);

    FileSocket() = default;
    explicit FileSocket(UniqueFd fd) : fd_(std::move(fd)) {}
    FileSocket(FileSocket&&) noexcept = default;
    FileSocket& operator=(FileSocket&& other) noexcept {
        dispose();
        fd_ = std::move(other.fd_);
        return *this;
    }
    ~FileSocket() { dispose(); }

    int get() const { return fd_.get(); }
    explicit operator bool() const { return bool(fd_); }
    /// As any other: for one that holds nobody's files.
    UniqueFd release() && { return std::move(fd_); }

  private:
    void dispose() noexcept;
    UniqueFd fd_;
};

} // namespace picket::ipc
