#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>
#include <picket/watch/keeper.h>

namespace picket::watch {

/// A file system (or, before 4.20, a mount) that somebody on this kernel can reach.
struct MountReport {
    enum class State : std::uint32_t {
        opened, ///< `directory` is an open descriptor inside it: mark through that
        failed, ///< it could not be opened in time; `reason` says why
        gone,   ///< no mount namespace shows it any more
        swept,  ///< end of one look at every namespace: what was there has been reported
        canary, ///< answer to prove(): a file of it was opened (canary_device, canary_inode), or `reason` says why not
    };
    State state = State::swept;
    std::uint64_t device = 0;
    int mount_id = 0; ///< in its namespace; 0 where reports are per file system
    std::uint64_t mount_namespace = 0;
    bool host_namespace = false;
    bool noexec = false; ///< on every mount of it
    std::string type;
    std::string mount_point;
    std::string reason;
    int error = 0; ///< errno of `reason`; for a canary ENOENT means that there is no file to open
    std::uint64_t canary_device = 0;
    std::uint64_t canary_inode = 0;
    UniqueFd directory;
};

enum class ScoutGranularity { per_filesystem, per_mount };

/// Finds what is mounted, in every mount namespace, and opens it. All of that happens in a child process and its
/// children, forked before the fanotify group exists, so that a hanging file system hangs an expendable process and no
/// copy of the group descriptor is ever made. The child looks when the host's mount table changes and once a second.
/// It ends with its parent. It also starts keepers (keeper.h), for the same reason: nobody forks beside a group. One
/// thread.
class MountScout {
  public:
    static constexpr std::size_t kMaximumKeepers = 64;
    /// What the daemon holds of a keeper.
    struct Keeper {
        std::size_t slot = 0;
        UniqueFd orders;
        UniqueFd events;
        const KeeperState* state = nullptr; ///< as long as the scout lives
    };
    /// Must be called before FanotifyGroup::create(). `only`: mount points of the host's namespace that count; empty =
    /// everything, everywhere. `never_asked`: files that FanotifyGroup::never_ask is told of; prove() opens others.
    /// `confine_keeper`: called in each keeper, as far as it is given.
    static Result<MountScout> start(ScoutGranularity granularity, const std::vector<std::string>& only = {},
                                    const std::vector<std::string>& never_asked = {},
                                    void (*confine_keeper)() = nullptr);
    MountScout(MountScout&&) = default;
    MountScout& operator=(MountScout&&) = delete;
    ~MountScout();

    /// Readable when a report waits.
    int fd() const { return socket_.get(); }
    /// Nothing where none waits; an Error once the child is gone (restart the daemon: it cannot be forked again).
    Result<std::optional<MountReport>> next_report();
    /// Report everything again: marks were flushed, or failed ones are worth another try.
    Result<void> report_again();
    /// Open a file of everything that was opened before, each in a child, so that its marks can be seen to work.
    Result<void> prove();
    /// Another keeper; its hello tells whether it has a group. exhausted where there are kMaximumKeepers.
    Result<Keeper> start_keeper();
    /// Killed, where that is possible; its place is free.
    void end_keeper(std::size_t slot);

  private:
    struct Slots {
        KeeperState states[kMaximumKeepers];
    };
    struct SlotsRelease {
        void operator()(Slots* slots) const;
    };
    using SharedSlots = std::unique_ptr<Slots, SlotsRelease>;
    static SharedSlots share_slots();
    MountScout(UniqueFd socket, pid_t child, SharedSlots slots)
        : socket_(std::move(socket)), child_(child), slots_(std::move(slots)) {}
    UniqueFd socket_;
    pid_t child_ = 0;
    SharedSlots slots_;
    std::array<bool, kMaximumKeepers> taken_{};
    std::size_t next_slot_ = 0; ///< in turn: one that hangs may yet write to its place
};

} // namespace picket::watch
