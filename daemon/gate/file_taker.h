#pragma once
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <sys/types.h>

#include <picket/base/clock.h>

#include "errands.h"

namespace picket::daemon {

/// Takes the files that clients hand in. Which server may stand behind one is seen once it has been received, and then
/// it must be closed: so errands receive them, and clients whose files hang have a bounded number of those.
class FileTaker {
  public:
    /// invalid_input: it carries no such file; unavailable: its server does not answer, or those of as many as the user
    /// may have under way do not.
    using Done = std::function<void(Result<watch::EventFile>)>;

    FileTaker(const Errands& errands, const Clock& clock);

    /// The file whose message waits on `connection`, handed in by `user`. Any thread; `done` is called on the thread of
    /// on_readable() and on_tick(), or at once where nothing can be begun.
    void take(UniqueFd connection, uid_t user, Done done);
    /// Readable when something has come.
    int fd() const { return epoll_.get(); }
    void on_readable();
    /// Gives up what takes too long; about once a second.
    void on_tick();

  private:
    struct Errand {
        ipc::FileSocket answer;
        uid_t user = 0;
        MonotonicTime until;
        Done done; ///< none once it was called: the process has not ended yet
    };
    struct Queued {
        ipc::FileSocket connection;
        uid_t user = 0;
        MonotonicTime until;
        Done done;
    };
    bool has_room_for(uid_t user) const;
    void begin_queued();
    void follow(ipc::FileSocket answer, Queued&& request);
    void on_answer(int fd);

    const Errands& errands_;
    const Clock& clock_;
    UniqueFd epoll_;
    std::mutex mutex_;
    std::deque<Queued> queued_;       ///< until there is room: one for each connection at most
    std::map<int, Errand> under_way_; ///< by the descriptor of its answer
};

} // namespace picket::daemon
