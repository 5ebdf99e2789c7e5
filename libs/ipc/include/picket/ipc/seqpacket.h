#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

/// SOCK_SEQPACKET over AF_UNIX paths: a message arrives whole or not at all. Never abstract names.
namespace picket::ipc {

inline constexpr Bytes kMaximumMessage = mebibytes(1);
inline constexpr std::size_t kMaximumDescriptors = 16;

struct Message {
    std::string content;
    std::vector<UniqueFd> descriptors; ///< SCM_RIGHTS, O_CLOEXEC
};

struct Peer {
    pid_t pid = 0;
    uid_t uid = static_cast<uid_t>(-1);
    gid_t gid = static_cast<gid_t>(-1);
};

/// Creates, binds and listens; a socket left by a dead process is replaced (only a socket, only in a directory that
/// nobody but root or ourselves may write). `mode` is in force before anyone can connect. O_CLOEXEC, non-blocking.
Result<UniqueFd> listen_at(const std::string& path, mode_t mode, int backlog = 64);
/// Whether a path still leads to what was there when this was made: without its file nobody finds a socket any more.
class BoundPath {
  public:
    explicit BoundPath(std::string path);
    bool is_there() const;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> identity_; ///< (device, inode)
};
/// Non-blocking and O_CLOEXEC. unavailable = nobody waits; permission; not_found = no such socket.
Result<UniqueFd> connect_to(const std::string& path);
/// unavailable where nobody waits.
Result<UniqueFd> accept_one(int listening_fd);
Result<Peer> peer_of(int fd);
Result<std::pair<UniqueFd, UniqueFd>> make_pair();

/// One message, never blocking. unavailable = the peer does not read (EAGAIN) or is gone (errno tells EPIPE).
Result<void> send_message(int fd, std::string_view content, const std::vector<int>& descriptors = {});
/// One message, never blocking. unavailable with errno EAGAIN = none waits; not_found = the peer closed;
/// invalid_input = longer than `limit` or too many descriptors (the message is consumed, its descriptors closed).
Result<Message> receive_message(int fd, Bytes limit = kMaximumMessage);
/// As receive_message(), from one who has no business to send descriptors: a message that carries any is invalid_input
/// and stays where it is. Taking it, or letting go of it, may wait for the server of somebody's file (file_socket.h).
Result<std::string> receive_content(int fd, Bytes limit = kMaximumMessage);
struct Content {
    std::string text;
    bool has_descriptors = false;
};
/// What waits, which goes on waiting.
Result<Content> peek_content(int fd, Bytes limit = kMaximumMessage);
/// The descriptor of the first message that waits, which goes on waiting: a socket as a wrapping for a file.
/// invalid_input where that message carries none, or several.
Result<UniqueFd> peek_descriptor(int fd);
/// Waits until `fd` is readable. False on timeout.
bool wait_readable(int fd, int timeout_ms);
bool wait_writable(int fd, int timeout_ms);

} // namespace picket::ipc
