#include <picket/ipc/activation.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <picket/base/text.h>

namespace picket::ipc {
namespace {

constexpr int kFirstPassedFd = 3;

} // namespace

Result<UniqueFd> passed_socket() {
    const char* pid = std::getenv("LISTEN_PID");
    const char* count = std::getenv("LISTEN_FDS");
    const auto for_whom = parse_unsigned(pid != nullptr ? pid : "");
    if (!for_whom || *for_whom != static_cast<std::uint64_t>(getpid()) || count == nullptr ||
        std::string_view(count) != "1")
        return Error(ErrorCode::invalid_input, "no socket was passed: start the .socket unit, or give --socket PATH");
    int type = 0;
    int listens = 0;
    socklen_t length = sizeof(int);
    if (getsockopt(kFirstPassedFd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_SEQPACKET ||
        getsockopt(kFirstPassedFd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || listens == 0)
        return Error(ErrorCode::invalid_input, "the passed descriptor is no listening SOCK_SEQPACKET socket");
    fcntl(kFirstPassedFd, F_SETFD, FD_CLOEXEC);
    fcntl(kFirstPassedFd, F_SETFL, fcntl(kFirstPassedFd, F_GETFL) | O_NONBLOCK);
    return UniqueFd(kFirstPassedFd);
}

Result<UniqueFd> stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd)
        return Error::from_errno(errno, "signalfd");
    return fd;
}

} // namespace picket::ipc
