#include <picket/base/unique_fd.h>

#include <cerrno>
#include <unistd.h>

#include <picket/base/descriptor_closer.h>

namespace picket {
namespace {

thread_local DescriptorCloser* thread_closer = nullptr;

} // namespace

void close_through(DescriptorCloser* closer) {
    thread_closer = closer;
}

void UniqueFd::reset(int fd) {
    if (fd_ >= 0 && fd_ != fd && (thread_closer == nullptr || !thread_closer->take(fd_))) {
        const int saved = errno;
        ::close(fd_); // never retried: on Linux the descriptor is gone even after EINTR
        errno = saved;
    }
    fd_ = fd;
}

} // namespace picket
