#include "notify_socket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::supervisor {
namespace {

constexpr int kMessagesAtOnce = 64;

} // namespace

Result<NotifySocket> NotifySocket::open(const std::string& path, uid_t owner, gid_t group) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error(ErrorCode::invalid_input, fmt::format("{} is too long for a socket", path));
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    NotifySocket made(UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), path);
    if (!made.fd_)
        return Error::from_errno(errno, "socket");
    if (unlink(path.c_str()) != 0 && errno != ENOENT)
        return Error::from_errno(errno, fmt::format("remove the old {}", path));
    (void)fchmod(made.fd_.get(), 0600); // in force from bind() on
    if (bind(made.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return Error::from_errno(errno, fmt::format("bind {}", path));
    if (chmod(path.c_str(), 0600) != 0 || (owner != geteuid() && lchown(path.c_str(), owner, group) != 0))
        return Error::from_errno(errno, fmt::format("set the owner of {}", path));
    return made;
}

NotifySocket::~NotifySocket() {
    if (fd_)
        unlink(path_.c_str());
}

Notice NotifySocket::take() const {
    Notice notice;
    std::array<char, 4096> buffer{};
    for (int i = 0; i < kMessagesAtOnce; ++i) {
        const ssize_t length = recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (length < 0)
            break;
        for (const std::string_view line :
             split(std::string_view(buffer.data(), static_cast<std::size_t>(length)), '\n')) {
            notice.ready = notice.ready || line == "READY=1";
            notice.alive = notice.alive || line == "WATCHDOG=1";
        }
    }
    return notice;
}

} // namespace picket::supervisor
