#include <picket/watch/event_file.h>

#include <cerrno>
#include <fcntl.h>

#include <fmt/format.h>
#include <picket/ipc/seqpacket.h>

namespace picket::watch {
namespace {

constexpr int kFirstNumber = 3;

} // namespace

/// The descriptor is named, not the path: it leads to the same file whatever has become of its name.
Result<EventFile> EventFile::put_away(UniqueFd file) {
    UniqueFd look(open(fmt::format("/proc/self/fd/{}", file.get()).c_str(), O_PATH | O_CLOEXEC));
    if (!look)
        return Error::from_errno(errno, "a look at an opened file");
    auto [ours, theirs] = PICKET_TRY(ipc::make_pair());
    PICKET_TRY(ipc::send_message(theirs.get(), "f", {file.get()}));
    return EventFile(std::move(look), std::move(ours));
}

EventFile EventFile::duplicate() const {
    const auto copy = [](const auto& fd) { return UniqueFd(fd ? fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstNumber) : -1); };
    return {copy(file_), copy(content_)};
}

bool make_read_only(UniqueFd& file) {
    if ((fcntl(file.get(), F_GETFL) & O_ACCMODE) != O_RDONLY)
        file = UniqueFd(open(fmt::format("/proc/self/fd/{}", file.get()).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    return bool(file);
}

} // namespace picket::watch
