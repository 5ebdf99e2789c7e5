#pragma once
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>
#include <picket/ipc/file_socket.h>

namespace picket::watch {

/// A file as the gate holds it. One that lies behind a server (FUSE, a network) is held put away: an O_PATH descriptor
/// to look at, and a socket in which the opened file lies for whoever is to read it. close(2) of an opened file asks
/// the server, and a server that is gone answers nobody ("Either request is already in userspace … Wait it out",
/// fs/fuse/dev.c): not even SIGKILL ends that wait. The socket is given away when it is
/// closed (ipc::FileSocket).
class EventFile {
  public:
    EventFile() = default;
    /// As it is. Not explicit: most files are.
    EventFile(UniqueFd file) : file_(std::move(file)) {} // NOLINT(google-explicit-constructor)
    /// What put_away() made, on the other side of a socket.
    EventFile(UniqueFd look, UniqueFd content) : file_(std::move(look)), content_(std::move(content)) {}
    /// Closes `file`, and may wait for its server to do so.
    static Result<EventFile> put_away(UniqueFd file);

    /// To look at: O_PATH where the file is put away.
    int fd() const { return file_.get(); }
    explicit operator bool() const { return bool(file_); }
    bool is_put_away() const { return bool(content_); }
    /// What a reader gets: the file, or the socket that it lies in (ipc::peek_descriptor()).
    int to_hand_on() const { return content_ ? content_.get() : file_.get(); }
    EventFile duplicate() const;

  private:
    UniqueFd file_;
    ipc::FileSocket content_;
};

/// Opens what is open for writing as well once more, for reading only: the engine takes nothing that it could write to.
/// False where that is refused. May wait for its server.
bool make_read_only(UniqueFd& file);

} // namespace picket::watch
