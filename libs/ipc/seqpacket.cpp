#include <picket/ipc/seqpacket.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/clock.h>
#include <picket/base/text.h>

namespace picket::ipc {
namespace {

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // An empty or zero-led name would be an abstract one, which no file mode guards.
    if (path.empty() || path.find('\0') != std::string::npos || path.size() >= sizeof(address.sun_path))
        return Error(ErrorCode::invalid_input, fmt::format("socket path \"{}\" must have 1 to {} bytes",
                                                           escape_for_display(path), sizeof(address.sun_path) - 1));
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

Result<UniqueFd> make_socket() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return Error::from_errno(errno, "socket");
    return fd;
}

/// A message must fit the send buffer as a whole; the kernel caps this at net.core.wmem_max.
void widen_send_buffer(int fd) {
    const int wanted = static_cast<int>(kMaximumMessage.count + 4096);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted));
}

std::pair<std::string, std::string> split_path(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos)
        return {".", path};
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

bool only_ours(int directory_fd) {
    struct stat status {};
    return ::fstat(directory_fd, &status) == 0 && (status.st_uid == 0 || status.st_uid == ::geteuid()) &&
           (status.st_mode & 022) == 0;
}

Result<void> remove_dead_socket(const std::string& path, int directory_fd, const std::string& name) {
    struct stat status {};
    if (::fstatat(directory_fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? Result<void>() : Error::from_errno(errno, fmt::format("looking at {}", path));
    if (!S_ISSOCK(status.st_mode))
        return Error(ErrorCode::conflict, fmt::format("{} exists and is not a socket; remove it", path));
    const auto alive = connect_to(path);
    if (alive || alive.error().errno_value() != ECONNREFUSED)
        return Error(ErrorCode::conflict, fmt::format("another process already listens at {}", path));
    if (!only_ours(directory_fd))
        return Error(
            ErrorCode::conflict,
            fmt::format("{} is left over, and its directory may be written by others; remove it by hand", path));
    if (::unlinkat(directory_fd, name.c_str(), 0) != 0 && errno != ENOENT)
        return Error::from_errno(errno, fmt::format("removing the old {}", path));
    return {};
}

/// Takes the descriptors out of a received control buffer, so that each is closed whatever happens next.
std::vector<UniqueFd> take_descriptors(msghdr& header) {
    std::vector<UniqueFd> descriptors;
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            descriptors.emplace_back(fd);
        }
    }
    return descriptors;
}

struct Received {
    std::size_t length = 0;
    int flags = 0; ///< msg_flags of recvmsg(2)
    std::vector<UniqueFd> descriptors;
};

enum class Descriptors { taken, left };

Result<Received> receive(int fd, char* buffer, std::size_t size, int flags, Descriptors what = Descriptors::taken) {
    alignas(cmsghdr) char control[CMSG_SPACE(kMaximumDescriptors * sizeof(int))] = {};
    iovec part{buffer, size};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (what == Descriptors::taken) {
        header.msg_control = control;
        header.msg_controllen = sizeof(control);
    }
    ssize_t received = -1;
    bool was_reset = false;
    do
        received = ::recvmsg(fd, &header, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    // A peer that closed with our message unread leaves one ECONNRESET before what it had sent to us.
    while (received < 0 && (errno == EINTR || (errno == ECONNRESET && !std::exchange(was_reset, true))));
    if (received < 0)
        return Error::from_errno(errno, "receiving a message");
    return Received{static_cast<std::size_t>(received), header.msg_flags, take_descriptors(header)};
}

struct Next {
    std::size_t length = 0; ///< 0 at the end of the stream
    bool has_descriptors = false;
};

/// A look at what waits.
Result<Next> next_message(int fd) {
    const auto seen = receive(fd, nullptr, 0, MSG_PEEK | MSG_TRUNC, Descriptors::left);
    if (seen)
        return Next{seen->length, (seen->flags & MSG_CTRUNC) != 0};
    return seen.error().errno_value() == ECONNRESET ? Error(ErrorCode::not_found, "the peer closed the connection")
                                                    : seen.error();
}

Error too_long(std::size_t length, Bytes limit) {
    return Error(ErrorCode::invalid_input,
                 fmt::format("a message of {} bytes; at most {} are taken", length, to_human(limit)));
}

Result<Received> receive_text(int fd, const Next& next, Bytes limit, int flags, Descriptors what, std::string& text) {
    text.resize(std::min<std::size_t>(next.length, limit.count));
    Received got = PICKET_TRY(receive(fd, text.data(), text.size(), flags, what));
    if ((got.flags & MSG_TRUNC) != 0)
        return too_long(next.length, limit);
    // An empty message and the end of the stream look the same; no protocol of ours has empty messages.
    if (got.length == 0)
        return Error(ErrorCode::not_found, "the peer closed the connection");
    text.resize(got.length);
    return got;
}

bool wait_for(int fd, short events, int timeout_ms) {
    const auto end = SystemClock().monotonic() + Milliseconds(timeout_ms);
    for (int left = timeout_ms;;) {
        pollfd entry{fd, events, 0};
        const int ready = ::poll(&entry, 1, left);
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
        if (timeout_ms >= 0) {
            const auto rest = std::chrono::duration_cast<Milliseconds>(end - SystemClock().monotonic()).count();
            left = rest < 0 ? 0 : static_cast<int>(rest);
        }
    }
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> identity_at(const std::string& path) {
    struct stat status {};
    if (::fstatat(AT_FDCWD, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return std::nullopt;
    return std::pair{std::uint64_t{status.st_dev}, std::uint64_t{status.st_ino}};
}

} // namespace

Result<UniqueFd> listen_at(const std::string& path, mode_t mode, int backlog) {
    const sockaddr_un address = PICKET_TRY(address_of(path));
    const auto [directory, name] = split_path(path);
    const UniqueFd parent(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!parent)
        return Error::from_errno(errno, fmt::format("opening {}", directory));
    PICKET_TRY(remove_dead_socket(path, parent.get(), name));
    UniqueFd fd = PICKET_TRY(make_socket());
    // bind() takes the mode from the descriptor, less the umask; both are put right before listen() lets anyone in.
    ::fchmod(fd.get(), mode & 0600);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
        return errno == EADDRINUSE
                   ? Error(ErrorCode::conflict, fmt::format("another process already listens at {}", path))
                   : Error::from_errno(errno, fmt::format("binding {}", path));
    if (::fchmodat(parent.get(), name.c_str(), mode, 0) != 0)
        return Error::from_errno(errno, fmt::format("setting the mode of {}", path));
    if (::listen(fd.get(), backlog) != 0)
        return Error::from_errno(errno, fmt::format("listening at {}", path));
    return fd;
}

BoundPath::BoundPath(std::string path) : path_(std::move(path)), identity_(identity_at(path_)) {}

bool BoundPath::is_there() const {
    return identity_ && identity_at(path_) == identity_;
}

Result<UniqueFd> connect_to(const std::string& path) {
    const sockaddr_un address = PICKET_TRY(address_of(path));
    UniqueFd fd = PICKET_TRY(make_socket());
    widen_send_buffer(fd.get());
    while (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        if (errno == EINTR)
            continue;
        if (errno == EPROTOTYPE)
            return Error(ErrorCode::invalid_input,
                         fmt::format("{} is not a socket of messages (SOCK_SEQPACKET)", path));
        return Error::from_errno(errno, fmt::format("connecting to {}", path));
    }
    return fd;
}

Result<UniqueFd> accept_one(int listening_fd) {
    UniqueFd fd(::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd)
        return errno == ECONNABORTED ? Error(ErrorCode::unavailable, "the peer left before it was accepted")
                                     : Error::from_errno(errno, "accepting a connection");
    widen_send_buffer(fd.get());
    return fd;
}

Result<Peer> peer_of(int fd) {
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return Error::from_errno(errno, "asking who the peer is");
    return Peer{credentials.pid, credentials.uid, credentials.gid};
}

Result<std::pair<UniqueFd, UniqueFd>> make_pair() {
    int fds[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return Error::from_errno(errno, "socketpair");
    widen_send_buffer(fds[0]);
    widen_send_buffer(fds[1]);
    return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

Result<void> send_message(int fd, std::string_view content, const std::vector<int>& descriptors) {
    if (content.size() > kMaximumMessage.count || descriptors.size() > kMaximumDescriptors)
        return Error(ErrorCode::invalid_input,
                     fmt::format("a message has at most {} and {} descriptors, not {} bytes and {}",
                                 to_human(kMaximumMessage), kMaximumDescriptors, content.size(), descriptors.size()));
    alignas(cmsghdr) char control[CMSG_SPACE(kMaximumDescriptors * sizeof(int))] = {};
    iovec part{const_cast<char*>(content.data()), content.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!descriptors.empty()) {
        const std::size_t size = descriptors.size() * sizeof(int);
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(size);
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(rights), descriptors.data(), size);
    }
    while (::sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return Error::from_errno(errno, "sending a message");
    return {};
}

Result<Message> receive_message(int fd, Bytes limit) {
    const Next next = PICKET_TRY(next_message(fd));
    Message message;
    Received got = PICKET_TRY(receive_text(fd, next, limit, 0, Descriptors::taken, message.content));
    message.descriptors = std::move(got.descriptors);
    if ((got.flags & MSG_CTRUNC) != 0)
        return Error(
            ErrorCode::invalid_input,
            fmt::format("a message with more descriptors than can be taken (at most {})", kMaximumDescriptors));
    return message;
}

Result<std::string> receive_content(int fd, Bytes limit) {
    const Next next = PICKET_TRY(next_message(fd));
    if (next.has_descriptors)
        return Error(ErrorCode::invalid_input, "a message with descriptors where none are taken");
    std::string text;
    PICKET_TRY(receive_text(fd, next, limit, 0, Descriptors::left, text));
    return text;
}

Result<Content> peek_content(int fd, Bytes limit) {
    const Next next = PICKET_TRY(next_message(fd));
    Content content;
    content.has_descriptors = next.has_descriptors;
    PICKET_TRY(receive_text(fd, next, limit, MSG_PEEK, Descriptors::left, content.text));
    return content;
}

Result<UniqueFd> peek_descriptor(int fd) {
    char content = 0;
    Received got = PICKET_TRY(receive(fd, &content, sizeof content, MSG_PEEK));
    if (got.descriptors.size() != 1)
        return Error(ErrorCode::invalid_input, fmt::format("{} descriptors instead of one", got.descriptors.size()));
    return std::move(got.descriptors.front());
}

bool wait_readable(int fd, int timeout_ms) {
    return wait_for(fd, POLLIN, timeout_ms);
}
bool wait_writable(int fd, int timeout_ms) {
    return wait_for(fd, POLLOUT, timeout_ms);
}

} // namespace picket::ipc
