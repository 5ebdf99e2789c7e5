#include <picket/install/lock.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/files.h>

namespace picket::install {

Result<UniqueFd> take_lock(const sys::Root& root) {
    if (!root.exists("/run")) // an image without it
        PICKET_TRY(root.make_directories("/run", 0755));
    UniqueFd fd = PICKET_TRY(root.open_file(files::kLock, O_RDWR | O_CREAT | O_NOCTTY, 0600));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return Error::from_errno(errno, fmt::format("lock {}", files::kLock));
        const auto holder = sys::read_all(fd.get(), Bytes{64});
        return Error(ErrorCode::conflict,
                     fmt::format("another picket-installer is running (pid {})",
                                 holder && !trim(*holder).empty() ? escape_for_display(trim(*holder)) : "unknown"));
    }
    // For the message above only; the lock itself is the kernel's.
    if (ftruncate(fd.get(), 0) == 0)
        (void)sys::write_all(fd.get(), fmt::format("{}\n", getpid()));
    return fd;
}

} // namespace picket::install
