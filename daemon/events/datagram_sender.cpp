#include "datagram_sender.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

#include <picket/base/text.h>

namespace picket::daemon {

DatagramSender::DatagramSender(std::string path)
    : path_(std::move(path)), socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}

Result<void> DatagramSender::send(std::string_view datagram) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path)
        return Error(ErrorCode::unavailable, "the name of the socket is too long");
    std::memcpy(address.sun_path, path_.data(), path_.size());
    const ssize_t sent = sendto(socket_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (sent == static_cast<ssize_t>(datagram.size()))
        return {};
    return Error(errno == ENOENT ? ErrorCode::not_found : ErrorCode::unavailable,
                 escape_for_display(path_) + ": " + std::strerror(errno));
}

} // namespace picket::daemon
