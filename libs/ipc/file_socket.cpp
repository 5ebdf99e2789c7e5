#include <picket/ipc/file_socket.h>

#include <atomic>

namespace picket::ipc {
namespace {

std::atomic<FileSocket::Disposer> g_disposer{nullptr};

} // namespace

void FileSocket::set_disposer(Disposer disposer) {
    g_disposer = disposer;
}

void FileSocket::dispose() noexcept {
    const Disposer disposer = g_disposer;
    if (fd_ && disposer != nullptr)
        disposer(std::move(fd_));
    fd_.reset();
}

} // namespace picket::ipc
