#include "log_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>

namespace picket::installer {

Result<LogFile> LogFile::open(const std::string& path) {
    LogFile log;
    log.fd_ = UniqueFd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600));
    struct stat status {};
    if (!log.fd_ || fstat(log.fd_.get(), &status) != 0)
        return Error::from_errno(errno, fmt::format("--log-file {}", escape_for_display(path)));
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input,
                     fmt::format("--log-file {}: not a regular file", escape_for_display(path)));
    return log;
}

void LogFile::write(std::string_view text) {
    if (fd_) // a full disk must not stop an installation; what cannot be logged is on the terminal
        (void)sys::write_all(fd_.get(), fmt::format("{} {}\n", to_rfc3339(clock_.wall()), escape_for_display(text)));
}

} // namespace picket::installer
