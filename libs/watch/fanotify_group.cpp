#include <picket/watch/fanotify_group.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include <fmt/format.h>

// Newer than the oldest headers we are built with.
#ifndef FAN_MARK_FILESYSTEM
#define FAN_MARK_FILESYSTEM 0x00000100
#endif
#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x00000200
#endif
#ifndef FAN_OPEN_EXEC
#define FAN_OPEN_EXEC 0x00001000
#endif
#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x00040000
#endif

namespace picket::watch {
namespace {

constexpr std::size_t kBufferSize = 4096; // 170 events: bounds how long respond() waits behind read_events()

/// From the newest kernel to the oldest: evictable marks since 5.19, exec events since 5.0.
struct IgnoreKind {
    unsigned flags;
    std::uint64_t mask;
};
constexpr std::array kIgnoreKinds{IgnoreKind{FAN_MARK_EVICTABLE, FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM},
                                  IgnoreKind{0, FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM}, IgnoreKind{0, FAN_OPEN_PERM}};

unsigned scope_flag(MarkScope scope) {
    return scope == MarkScope::filesystem ? static_cast<unsigned>(FAN_MARK_FILESYSTEM)
                                          : static_cast<unsigned>(FAN_MARK_MOUNT);
}

std::uint64_t mask_of(const MarkOptions& options) {
    std::uint64_t mask = FAN_OPEN_PERM | FAN_CLOSE_WRITE;
    if (options.exec_events)
        mask |= FAN_OPEN_EXEC_PERM;
    return mask;
}

EventKind kind_of(std::uint64_t mask) {
    if ((mask & FAN_Q_OVERFLOW) != 0)
        return EventKind::overflow;
    if ((mask & FAN_OPEN_EXEC_PERM) != 0)
        return EventKind::exec_permission;
    if ((mask & FAN_OPEN_PERM) != 0)
        return EventKind::open_permission;
    return EventKind::close_write;
}

} // namespace

Result<FanotifyGroup> FanotifyGroup::create() {
    const unsigned flags = FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS;
    UniqueFd group(fanotify_init(flags, O_RDONLY | O_LARGEFILE | O_NOATIME | O_CLOEXEC));
    if (!group)
        return Error::from_errno(errno, "fanotify_init");
    return FanotifyGroup(std::move(group));
}

Result<void> FanotifyGroup::read_events(std::vector<KernelEvent>& events) {
    alignas(fanotify_event_metadata) std::array<char, kBufferSize> buffer{};
    return read_into(buffer.data(), buffer.size(), events);
}

Result<void> FanotifyGroup::read_one_event(std::vector<KernelEvent>& events) {
    alignas(fanotify_event_metadata) std::array<char, FAN_EVENT_METADATA_LEN> buffer{};
    return read_into(buffer.data(), buffer.size(), events);
}

Result<void> FanotifyGroup::read_into(char* buffer, std::size_t size, std::vector<KernelEvent>& events) {
    const ssize_t got = read(group_.get(), buffer, size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return {};
    if (got < 0)
        return Error::from_errno(errno, "read of the fanotify group");
    auto left = static_cast<std::size_t>(got);
    const auto* event = reinterpret_cast<const fanotify_event_metadata*>(buffer);
    while (FAN_EVENT_OK(event, static_cast<long>(left))) {
        if (event->vers != FANOTIFY_METADATA_VERSION)
            return Error(ErrorCode::internal, fmt::format("fanotify speaks version {}", event->vers));
        events.push_back({kind_of(event->mask), EventFile(UniqueFd(event->fd >= 0 ? event->fd : -1)), event->pid});
        left -= event->event_len;
        event =
            reinterpret_cast<const fanotify_event_metadata*>(reinterpret_cast<const char*>(event) + event->event_len);
    }
    return {};
}

Result<void> FanotifyGroup::respond(int event_fd, Decision decision) {
    fanotify_response response{};
    response.fd = event_fd;
    response.response = decision == Decision::allow ? FAN_ALLOW : FAN_DENY;
    for (;;) {
        if (write(group_.get(), &response, sizeof response) == static_cast<ssize_t>(sizeof response))
            return {};
        if (errno != EINTR)
            return Error::from_errno(errno, "answer to the fanotify group");
    }
}

Result<void> FanotifyGroup::mark(int directory_fd, const MarkOptions& options) {
    if (fanotify_mark(group_.get(), FAN_MARK_ADD | scope_flag(options.scope), mask_of(options), directory_fd,
                      nullptr) != 0)
        return Error::from_errno(errno, "fanotify_mark");
    return {};
}

Result<void> FanotifyGroup::flush(MarkScope scope) {
    if (fanotify_mark(group_.get(), FAN_MARK_FLUSH | scope_flag(scope), 0, AT_FDCWD, nullptr) != 0)
        return Error::from_errno(errno, "flush of fanotify marks");
    return {};
}

void FanotifyGroup::never_ask(const std::string& path) {
    never_asked_.push_back(path);
    mark_never(path);
}

/// By name: a descriptor of our own would do, when it is closed, what this is to prevent.
void FanotifyGroup::mark_never(const std::string& path) {
    const unsigned flags = FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY | FAN_MARK_DONT_FOLLOW;
    constexpr std::uint64_t kMask = FAN_OPEN_PERM | FAN_CLOSE_WRITE;
    if (fanotify_mark(group_.get(), flags, kMask | FAN_OPEN_EXEC_PERM, AT_FDCWD, path.c_str()) != 0 && errno == EINVAL)
        (void)fanotify_mark(group_.get(), flags, kMask, AT_FDCWD, path.c_str()); // before 5.0
}

bool FanotifyGroup::ignore(int file_fd) {
    for (;; ++ignore_kind_) {
        const IgnoreKind& kind = kIgnoreKinds[ignore_kind_];
        // An event that is reported anyway keeps the mark when we ask again: while the kernel removes a mark, opens of
        // that file that look at it pass without a question (fanotify_handle_event() in the kernel's sources).
        if (fanotify_mark(group_.get(), FAN_MARK_ADD | kind.flags, FAN_CLOSE_WRITE, file_fd, nullptr) == 0 &&
            fanotify_mark(group_.get(), FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | kind.flags, kind.mask, file_fd,
                          nullptr) == 0)
            return true;
        if (errno != EINVAL || ignore_kind_ + 1 == kIgnoreKinds.size())
            return false;
    }
}

void FanotifyGroup::ask_again(int file_fd) {
    (void)fanotify_mark(group_.get(), FAN_MARK_REMOVE | FAN_MARK_IGNORED_MASK, kIgnoreKinds[ignore_kind_].mask, file_fd,
                        nullptr);
}

void FanotifyGroup::ask_about_everything() {
    (void)fanotify_mark(group_.get(), FAN_MARK_FLUSH, 0, AT_FDCWD, nullptr);
    for (const std::string& path : never_asked_)
        mark_never(path);
}

bool FanotifyGroup::ignores_are_evictable() const {
    return (kIgnoreKinds[ignore_kind_].flags & FAN_MARK_EVICTABLE) != 0;
}

bool FanotifyGroup::can_mark(unsigned scope, std::uint64_t mask, int directory_fd) {
    if (fanotify_mark(group_.get(), FAN_MARK_ADD | scope, mask, directory_fd, nullptr) != 0)
        return false;
    (void)fanotify_mark(group_.get(), FAN_MARK_REMOVE | scope, mask, directory_fd, nullptr);
    return true;
}

/// Masks that only notify: nobody waits for an answer while this is tried.
KernelTier FanotifyGroup::probe(int directory_fd) {
    KernelTier tier;
    if (!can_mark(scope_flag(MarkScope::filesystem), FAN_CLOSE_WRITE, directory_fd))
        tier.scope = MarkScope::mount;
    tier.exec_events = can_mark(scope_flag(MarkScope::mount), FAN_OPEN_EXEC, directory_fd);
    return tier;
}

std::string_view to_string(const KernelTier& tier) {
    if (tier.scope == MarkScope::mount)
        return "mount_marks";
    return tier.exec_events ? "full" : "no_exec_events";
}

} // namespace picket::watch
