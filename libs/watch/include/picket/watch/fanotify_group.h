#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>
#include <picket/model/verdict.h>
#include <picket/watch/event_file.h>

/// fanotify(7): FAN_CLASS_CONTENT, unlimited queue and marks. The group descriptor must never be held by another
/// process, not for a moment: the kernel releases waiting opens only when every copy is closed. So nothing forks after
/// create(), and tests that do must exec. A keeper's group (keeper.h) is the exception: gate and keeper hold it.
namespace picket::watch {

enum class EventKind { open_permission, exec_permission, close_write, overflow };

/// One event off the queue. A permission event must be answered through respond() before `file` is closed: HeldOpen
/// (picket/gate/held_open.h) sees to that.
struct KernelEvent {
    EventKind kind = EventKind::overflow;
    EventFile file; ///< O_RDONLY on what was opened; none for overflow
    pid_t pid = 0;  ///< of the opener, 0 where it is not in our pid namespace
};

enum class MarkScope { filesystem, mount };

/// What this kernel can watch.
struct KernelTier {
    MarkScope scope = MarkScope::filesystem; ///< by file system since 4.20
    bool exec_events = true;                 ///< FAN_OPEN_EXEC_PERM since 5.0

    static KernelTier lowest() { return {MarkScope::mount, false}; }
};
/// "full", "no_exec_events" or "mount_marks": as health names it.
std::string_view to_string(const KernelTier& tier);

struct MarkOptions {
    MarkScope scope = MarkScope::filesystem;
    bool exec_events = false; ///< also FAN_OPEN_EXEC_PERM (since 5.0)
};

/// Threads: reading by one, respond(), ignore() and ask_…() by one; mark() and flush() by any.
class FanotifyGroup {
  public:
    /// One that another process has made.
    explicit FanotifyGroup(UniqueFd group) : group_(std::move(group)) {}
    /// permission without CAP_SYS_ADMIN, not_found (ENOSYS) where the kernel has no fanotify.
    static Result<FanotifyGroup> create();

    /// Appends what is queued, never waiting; at most about 200 events a call. exhausted where no descriptor was free
    /// (the kernel has denied those opens).
    Result<void> read_events(std::vector<KernelEvent>& events);
    /// The first that is queued alone: the next one's file is not opened before this one is with the caller.
    Result<void> read_one_event(std::vector<KernelEvent>& events);
    Result<void> respond(int event_fd, Decision decision);

    /// Marks through an open directory (not O_PATH) of the file system or mount.
    Result<void> mark(int directory_fd, const MarkOptions& options);
    /// Drops every mark of that scope.
    Result<void> flush(MarkScope scope);

    /// No event for this file ever again, whoever opens or writes it. For files that this process locks: closing an
    /// event's descriptor of one would drop its locks (fcntl(2): all that the process has on the file).
    void never_ask(const std::string& path);

    /// No permission event for this file any more, until it is written to (FAN_MARK_IGNORED_MASK; FAN_CLOSE_WRITE still
    /// comes). False where the kernel refuses. It does nothing, and says so by nothing, where the file is open for
    /// writing: look again afterwards. One thread, like the rest of what follows.
    bool ignore(int file_fd);
    /// What is opened meanwhile is asked about, or was not by right: no open slips through.
    void ask_again(int file_fd);
    /// Drops the marks themselves: an open of such a file in the very moment may pass unasked, whatever is in it now.
    void ask_about_everything();
    /// False where an ignored file's inode stays in memory (before 5.19). Known after the first ignore().
    bool ignores_are_evictable() const;

    int fd() const { return group_.get(); }

    /// Tried on the given directory, whose file system is marked for a moment.
    KernelTier probe(int directory_fd);

  private:
    Result<void> read_into(char* buffer, std::size_t size, std::vector<KernelEvent>& events);
    void mark_never(const std::string& path);
    bool can_mark(unsigned scope, std::uint64_t mask, int directory_fd);
    UniqueFd group_;
    std::vector<std::string> never_asked_;
    std::size_t ignore_kind_ = 0; ///< the newest that this kernel takes
};

} // namespace picket::watch
