#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/clock.h>
#include <picket/base/unique_fd.h>

#include "child.h"
#include "child_spec.h"
#include "notify_socket.h"

namespace picket::supervisor {

struct SupervisorOptions {
    std::string notify_directory = "/run/picket/notify"; ///< made 0711
    Milliseconds first_backoff{100};
    Milliseconds last_backoff{5'000};
    Milliseconds steady{10'000};    ///< a child that ran so long starts with the first backoff again
    Milliseconds stop_wait{10'000}; ///< between SIGTERM and SIGKILL
};

/// Starts children in order, starts again what ends, kills what stops to say that it lives, and reaps, also what others
/// left to it as process 1. After open() it opens no file: users, sockets and directories are looked up once, for a
/// gate that hangs could make any open wait. One thread; it takes SIGCHLD, SIGTERM and SIGINT for the whole process.
class Supervisor {
  public:
    using Say = std::function<void(const std::string& line)>;

    static Result<Supervisor> open(std::vector<ChildSpec> specs, const Clock& clock, SupervisorOptions options,
                                   Say say);
    Supervisor(Supervisor&&) = default;
    Supervisor& operator=(Supervisor&&) = delete;
    /// Kills what is left and unmounts what open() mounted.
    ~Supervisor();

    /// Waits at most so long, then does what is due. False when everything has ended after a stop.
    bool turn(Milliseconds at_most);
    /// As SIGTERM does: in the reverse order, each after the one behind it has gone.
    void stop();
    /// Every child has been started, and said READY=1 or used up its start_wait.
    bool settled() const;
    /// 0 where it does not run.
    pid_t pid_of(const std::string& name) const;

  private:
    struct Child {
        ChildSpec spec;
        std::optional<sandbox::Identity> user;
        NotifySocket notify;
        pid_t pid = 0;
        bool settled = false;
        MonotonicTime start_at{};
        MonotonicTime started{};
        std::optional<MonotonicTime> first_started;
        std::optional<MonotonicTime> alive_until; ///< set by its first WATCHDOG=1
        std::optional<MonotonicTime> kill_at;     ///< set by SIGTERM
        Milliseconds backoff{0};
    };

    Supervisor(const Clock& clock, SupervisorOptions options, Say say)
        : clock_(clock), options_(std::move(options)), say_(std::move(say)) {}
    Result<void> prepare(std::vector<ChildSpec> specs);
    Result<void> prepare_child(ChildSpec spec);
    Result<void> take_signals();
    int wait_ms(Milliseconds at_most) const;
    void wait(Milliseconds at_most);
    void reap();
    void note_end(Child& child, int status);
    void listen(Child& child, MonotonicTime now);
    void start_due(MonotonicTime now);
    void start(Child& child, MonotonicTime now);
    void enforce(Child& child, MonotonicTime now);
    void stop_next(MonotonicTime now);

    const Clock& clock_;
    SupervisorOptions options_;
    Say say_;
    UniqueFd signals_;
    std::vector<Child> children_;
    std::vector<std::string> mounted_;
    bool stopping_ = false;
};

} // namespace picket::supervisor
