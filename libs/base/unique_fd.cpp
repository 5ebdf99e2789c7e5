#include <picket/base/unique_fd.h>

#include <cerrno>
#include <unistd.h>

namespace picket {

void UniqueFd::reset(int fd) {
    if (fd_ >= 0 && fd_ != fd) {
        const int saved = errno;
        ::close(fd_); // never retried: on Linux the descriptor is gone even after EINTR
        errno = saved;
    }
    fd_ = fd;
}

} // namespace picket
