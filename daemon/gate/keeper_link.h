#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <picket/base/clock.h>
#include <picket/ipc/file_socket.h>
#include <picket/watch/keeper.h>

namespace picket::daemon {

/// The gate's side of one keeper (picket/watch/keeper.h): takes what it has read, answers it, and notices that it
/// hangs. Gate's thread only; waits for nothing.
class KeeperLink {
  public:
    struct Event {
        watch::KernelEvent event;
        std::int32_t number = -1; ///< to answer by; -1: no answer is due
    };
    /// `state`: the keeper's, in memory that both share.
    KeeperLink(UniqueFd events, const watch::KeeperState* state) : events_(std::move(events)), state_(state) {}

    int fd() const { return events_.get(); }
    /// The keeper's; 0 before its hello.
    pid_t process() const { return process_; }
    /// Appends what the keeper has read. False once it is gone or talks nonsense: end the link.
    bool take(std::vector<Event>& events);
    void answer(std::int32_t number, Decision decision);
    /// Tells the keeper whose numbers are free again, as far as it listens.
    void flush();
    /// For how long the keeper has been inside one call, seen from `now`; a time in which nobody looked does not count.
    Milliseconds hangs_for(MonotonicTime now);
    /// No open of these file systems is asked about any more.
    void drop_marks();

  private:
    bool greet(const std::string& content, std::vector<UniqueFd>&& descriptors);

    ipc::FileSocket events_;
    const watch::KeeperState* state_;
    std::optional<watch::FanotifyGroup> group_; ///< since its hello
    pid_t process_ = 0;
    std::vector<std::int32_t> answered_; ///< not told yet
    std::int64_t seen_state_ = 0;
    MonotonicTime seen_since_{};
    MonotonicTime looked_{};
};

} // namespace picket::daemon
