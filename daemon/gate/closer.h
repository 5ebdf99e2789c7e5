#pragma once
#include <mutex>
#include <vector>

#include "errands.h"

namespace picket::daemon {

/// The disposer of this process (ipc::FileSocket): sockets that may hold others' files are closed by an errand. One
/// that hangs is left behind, with what was sent to it.
class Closer {
  public:
    explicit Closer(const Errands& errands);
    ~Closer();
    Closer(const Closer&) = delete;
    Closer& operator=(const Closer&) = delete;

    /// Any thread, the gate's too; blocks for nothing.
    void close(UniqueFd socket);
    /// Starts another errand where the last one takes nothing any more; about once a second.
    void on_tick();

  private:
    bool send(int socket);
    void let_it_close();

    const Errands& errands_;
    std::mutex mutex_;
    UniqueFd errand_;
    std::vector<UniqueFd> waiting_;
};

} // namespace picket::daemon
